import AgentProtocol
import JOSE
import KeyLifecycle
import Metrics

/// `sign`: reads the claims, judges them, queues the signature, records it. Runs on the connection's event loop and never waits there.
struct Sign: Sendable {
    let gate: Gate
    let board: SigningBoard
    let hsm: HSM
    let audit: AuditLog
    let clock: AgentClock
    let signatures = Counter(label: "privyseal_signatures_total")
    let refusals = Counter(label: "privyseal_signature_failures_total")

    /// Signs what the request asks for. `reply` is called once with a whole line, from whatever thread finishes the work.
    func run(
        _ request: Request, _ entry: AuditEntry, _ caller: Caller, reply: @escaping @Sendable ([UInt8]) -> Void
    ) {
        var entry = entry
        do throws(ProtocolError) {
            let parameters = try SignRequest.decode(request.params)
            entry.record.issuer = parameters.issuer
            entry.record.sub = parameters.claims.subject
            entry.record.aud = parameters.claims.audience
            let rule = try gate.authorize(caller, .sign, issuer: parameters.issuer)
            try rule.check(SignatureFacts(parameters.claims))
            begin(Pending(id: request.id, uid: caller.uid, parameters: parameters, rule: rule, entry: entry, reply: reply))
        } catch {
            fail(request.id, entry, error, reply)
        }
    }

    private struct Pending: Sendable {
        let id: RequestID
        let uid: UInt32
        let parameters: SignRequest
        let rule: AccessRule
        var entry: AuditEntry
        let reply: @Sendable ([UInt8]) -> Void
    }

    private func begin(_ pending: Pending) {
        // The clock is read before the key is taken: see SigningBoard.freeze.
        let now = clock.wall()
        let state: SigningState
        do throws(ProtocolError) {
            state = try board.begin(pending.parameters.issuer)
        } catch {
            return fail(pending.id, pending.entry, error, pending.reply)
        }
        let facts = ClaimsFacts(pending.parameters)
        do throws(LifecycleError) {
            let grant = try state.policy.grant(facts, at: min(now, state.datedAtMost ?? now))
            do throws(ProtocolError) {
                try pending.rule.check(lifetime: Int(grant.expiresAt - min(grant.issuedAt, now.seconds)))
            } catch {
                state.key.use.end()
                return fail(pending.id, pending.entry, error, pending.reply)
            }
            queue(pending, state, grant)
        } catch {
            state.key.use.end()
            if state.datedAtMost != nil, (try? state.policy.grant(facts, at: now)) != nil {
                // Right by the clock, but not by the frozen one: its turn comes with the next key.
                return board.whenThawed(pending.parameters.issuer) { begin(pending) }
            }
            fail(pending.id, pending.entry, ProtocolError(error), pending.reply)
        }
    }

    private func queue(_ pending: Pending, _ state: SigningState, _ grant: ClaimsGrant) {
        let key = state.key
        key.noteSigned(until: Timestamp(seconds: grant.expiresAt))
        let parameters = pending.parameters
        let tokenID = parameters.tokenID()
        var entry = pending.entry
        entry.record.kid = key.kid
        entry.record.jti = tokenID
        entry.record.lifetime = Int(grant.expiresAt - grant.issuedAt)
        let issuerURL = state.policy.issuerURL
        let input = SigningInput {
            CompactJWS.signingInput(key.header, payload: parameters.payload(grant, issuerURL, tokenID: tokenID))
        }
        hsm.sign(input, with: key, for: pending.uid) { [entry] result in
            switch result {
            case .success(let signature):
                audit.allowed(entry) { error in
                    // The reply is handed over first: a rotation that waits for the key must not overtake it.
                    defer { key.use.end() }
                    if let error { return fail(pending.id, ProtocolError(error), pending.reply) }
                    var jwt = input.bytes
                    CompactJWS.appendSignature(signature, to: &jwt)
                    signatures.increment()
                    pending.reply(
                        ReplyLine.sign(
                            id: pending.id, jwt: jwt, kid: key.kid, algorithm: key.algorithm.rawValue,
                            expiration: grant.expiresAt))
                }
            case .failure(let error):
                fail(pending.id, entry, ProtocolError(error), pending.reply)
                key.use.end()
            }
        }
    }

    private func fail(
        _ id: RequestID, _ entry: AuditEntry, _ error: ProtocolError, _ reply: @Sendable ([UInt8]) -> Void
    ) {
        audit.refused(entry, error)
        fail(id, error, reply)
    }

    private func fail(_ id: RequestID, _ error: ProtocolError, _ reply: @Sendable ([UInt8]) -> Void) {
        refusals.increment()
        reply(ReplyLine.failure(id: id, error))
    }
}
