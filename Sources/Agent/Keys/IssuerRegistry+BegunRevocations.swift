import IssuerStore
import KeyLifecycle
import Logging

/// Revocations whose fresh key is published and whose take-over was never committed: the agent was killed in between, or could not
/// reach its store. They are carried on, whether anybody still waits for a reply or not.
extension IssuerRegistry {
    /// Ends the revocations of an issuer that were begun, among the other changes of it.
    ///
    /// - Parameter isNeglected: whether whoever began them has been left alone with them for long enough.
    func carryOnRevocations(of name: IssuerName, neglected isNeglected: Bool) async throws {
        guard let begun = issuers[name]?.revoking else { return }
        guard fleet == nil || isNeglected || begun.by == fleet?.member.initiator else { return }
        for kid in begun.kids where issuers[name]?.revoking?.kids.contains(kid) == true {
            let origin = begun.by.map { " by agent \($0.agent)" } ?? ""
            try await journal.attempt("the revocation of key \(kid) of issuer \(name), begun\(origin) and cut off, is carried on")
            var tries = RotationTries()
            let outcome = try await rotateInTurn(name, .revoke(kid: kid), dryRun: false, &tries)
            let signing = outcome.issuer.ring.active?.kid ?? ""
            journal.note("key \(kid) of issuer \(name) was revoked, and \(signing) signs")
            log.notice(
                "carried on a revocation that was cut off",
                metadata: [
                    "issuer": "\(name)", "revoked": "\(kid)", "kid": "\(signing)",
                    "begunBy": "\(begun.by?.agent ?? "this agent")",
                ])
        }
    }

    /// Looks for revocations that other agents have begun and left.
    func lookForLeftRevocations(among issuers: [Issuer]) async {
        guard let fleet else { return }
        let begun = Set(issuers.filter { $0.revoking.map { $0.by != fleet.member.initiator } ?? false }.map(\.name))
        for name in shared.leftRevocations.look(begun, lateness: lateness, at: clock.monotonicSeconds) {
            await enqueueFollowUp(name, carryingOn: true)
        }
    }
}

extension FleetMember {
    /// As whose it begins revocations.
    var initiator: BegunRevocation.Initiator { BegunRevocation.Initiator(agent: id, incarnation: incarnation) }
}
