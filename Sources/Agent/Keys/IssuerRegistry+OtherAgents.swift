import IssuerStore
import KeyLifecycle
import Logging
import PKCS11

/// Another agent of the same deployment on the token: an agent that was started on a copy of the store.
extension IssuerRegistry {
    /// Looks whether another agent of the deployment uses the token, and says to it that this one does.
    ///
    /// Never fails: what cannot be found out is found out the next time, and a token that keeps no notes is said to.
    func lookForOtherAgents() async {
        guard let look = standing.agents.beginLook() else { return }
        defer { standing.agents.endLook() }
        do {
            guard let notes = try await custody.notes(of: store.deployment.id, unlessKept: look.kept) else { return }
            let finding = standing.agents.find(notes, by: look)
            if finding.isNews { await announceStanding() }
            guard let wanted = finding.wanted else { return }
            do {
                try await keep(wanted, of: finding)
            } catch {
                standing.agents.takeBack(finding)
                throw error
            }
        } catch {
            log.debug("other agents on the token could not be looked for", metadata: ["reason": "\(error)"])
        }
    }

    private func keep(_ note: AgentNote, of finding: OtherAgents.Finding) async throws {
        // The store first: the next start must not take this one's note for another agent's. An agent that may not go on
        // leaves no trace in it, so that its next start may not either.
        if finding.isFirst, case .alone = standing.agents.standing {
            try await noting { try await store.noteAgents([note.agent]) }
        }
        let refusal = try await custody.keep(note, of: store.deployment.id)
        guard standing.agents.noteKept(refusal == nil, of: finding), let refusal else { return }
        log.notice(
            "the token keeps no note of who uses it: a second agent with a copy of this store would not be noticed",
            metadata: ["reason": "\(refusal)", "hint": "start no agent on a copy of the store while this one runs"])
    }

    private func announceStanding() async {
        switch standing.agents.standing {
        case .alone: break
        case .earlier(let other):
            log.error(
                "another agent of this deployment uses the token, and has started after this one",
                metadata: ["other": "\(other.whose)", "hint": "\(SoleUse.earlierHint)"])
        case .later(let other):
            // So that a restart does not forget it. Without a store to write to it is found out anew.
            let gone = Set([other.agent, standing.agents.own?.agent].compactMap(\.self))
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
        let (accepted, agents) = standing.agents.accepting(notes)
        try await noting { try await store.noteAgents(agents) }
        standing.agents.accept(accepted)
        log.notice("an operator has said that no other agent uses the token")
        showRefusals()
        await lookForOtherAgents()
    }

    /// Has signatures refused, or not, by what is known now.
    func showRefusals() {
        for issuer in allIssuers {
            board.setRefusal(standing.refusal(of: issuer.name), for: issuer.name.text)
            // A frontend asks again for what it was refused.
            announce(issuer)
        }
    }
}

extension SoleUse {
    /// What to do about an agent that has started after this one.
    static let earlierHint =
        "stop the other one, unless it is to take over; compare store and token: privyseal reconcile --dry-run; then say that it is "
        + "done: privyseal call reload '{\"acceptToken\":true}'"
}
