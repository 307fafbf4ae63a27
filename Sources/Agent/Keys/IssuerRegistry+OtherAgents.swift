import AgentProtocol
import IssuerStore
import KeyLifecycle
import Logging
import PKCS11

/// Another agent of the same deployment on the token: a copy of the store that somebody has started.
extension IssuerRegistry {
    /// Looks at the whole token for notes now and then, for the sake of tokens that do not show who has removed one.
    private static let thoroughLook = 60

    /// Looks whether another agent of the deployment uses the token, and says to it that this one does.
    ///
    /// Never fails: what cannot be found out is found out the next time, and a token that keeps no notes is said to.
    func lookForOtherAgents() async {
        guard !isLookingForAgents, rival == nil else { return }
        isLookingForAgents = true
        defer { isLookingForAgents = false }
        do {
            looks += 1
            let isThorough = !soleUse.hasBegun || looks.isMultiple(of: Self.thoroughLook)
            guard isThorough || keepsNote,
                let notes = try await custody.notes(
                    of: store.deployment.id, unlessKept: isThorough ? nil : soleUse.own)
            else { return }
            let (before, acceptances) = (soleUse, acceptances)
            let wanted = soleUse.look(at: notes)
            if soleUse.standing != before.standing { await standingChanged() }
            // What a token has refused once it may take the next time.
            guard let wanted, keepsNote || isThorough else { return }
            do {
                try await keep(wanted, isFirst: !before.hasBegun)
            } catch {
                // What has not been said is to be said at the next look, unless an operator has said meanwhile how it stands.
                if case .alone = soleUse.standing, acceptances == self.acceptances { soleUse = before }
                throw error
            }
        } catch {
            log.debug("other agents on the token could not be looked for", metadata: ["reason": "\(error)"])
        }
    }

    private func keep(_ note: AgentNote, isFirst: Bool) async throws {
        // The store first: the next start must not take this one's note for somebody else's. An agent that may not go on
        // leaves no trace in it, so that its next start may not either.
        if isFirst, case .alone = soleUse.standing { try await noting { try await store.noteAgents([note.agent]) } }
        let refusal = try await custody.keep(note, of: store.deployment.id)
        guard isFirst || (refusal == nil) != keepsNote else { return }
        keepsNote = refusal == nil
        if let refusal {
            log.notice(
                "the token keeps no note of who uses it: a second agent with a copy of this store would not be noticed",
                metadata: ["reason": "\(refusal)", "hint": "start no agent on a copy of the store while this one runs"])
        }
    }

    private func standingChanged() async {
        switch soleUse.standing {
        case .alone: break
        case .earlier(let other):
            log.error(
                "another agent of this deployment uses the token, and has started after this one",
                metadata: ["other": "\(other.whose)", "hint": "\(Self.earlierHint)"])
        case .later(let other):
            // So that a restart does not forget it. Without a store to write to it is found out anew.
            let gone = Set([other.agent, soleUse.own?.agent].compactMap(\.self))
            try? await noting { try await store.forgetAgents(gone) }
            log.critical(
                "another agent of this deployment uses the token, and was there first: this one signs nothing and changes nothing",
                metadata: ["other": "\(other.whose)", "hint": "\(Quarantine.anotherAgent(other.whose).hint)"])
        }
        showRefusals()
    }

    /// An operator says that the token is this agent's alone.
    ///
    /// - Throws: `HSMError`, `StoreError`; then nothing has changed.
    func acceptToken() async throws {
        let notes = try await custody.notes(of: store.deployment.id, unlessKept: nil) ?? []
        var accepted = soleUse
        let agents = accepted.accept(notes)
        try await noting { try await store.noteAgents(agents) }
        soleUse = accepted
        acceptances += 1
        log.notice("an operator has said that no other agent uses the token")
        showRefusals()
        await lookForOtherAgents()
    }

    /// Has signatures refused, or not, by what is known now.
    func showRefusals() {
        for issuer in allIssuers {
            board.setRefusal(refusal(of: issuer.name), for: issuer.name.text)
            // A frontend asks again for what it was refused.
            announce(issuer)
        }
    }

    /// The agent that was there first, if there was one.
    var rival: AgentNote? {
        guard case .later(let other) = soleUse.standing else { return nil }
        return other
    }

    /// Whether anything is signed, as far as it is for the registry to say.
    var maySign: Bool { isTokenChecked && rival == nil }

    /// What `health` says of it.
    var otherAgentProblems: [HealthProblem] {
        switch soleUse.standing {
        case .alone: []
        case .earlier(let other):
            [
                HealthProblem(
                    component: "hsm",
                    message: "another agent of this deployment, \(other.whose), uses the token; it has started after this one",
                    hint: Self.earlierHint)
            ]
        case .later(let other):
            [
                HealthProblem(
                    component: "hsm", message: "nothing is signed: \(Quarantine.anotherAgent(other.whose).reason)",
                    hint: Quarantine.anotherAgent(other.whose).hint)
            ]
        }
    }

    private static let earlierHint =
        "stop the other one, unless it is to take over; compare store and token: privyseal reconcile --dry-run; then say that it is "
        + "done: privyseal call reload '{\"acceptToken\":true}'"
}
