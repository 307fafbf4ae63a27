import AgentClient
import AgentProtocol
import FaultyTokenSupport
import Foundation
import TestSupport

extension KillCampaign {
    /// Kills while four clients sign and two operators change issuers, and now and then once more while the agent starts.
    func killAtRandom() async throws {
        let load = makeLoad()
        let delay = Int.random(in: 0..<400, using: &generator)
        let generators = (0..<6).map { _ in generator.fork() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for generator in generators[..<4] { group.addTask { await load.sign(generator) } }
            for (prefix, generator) in zip(["a-", "b-"], generators[4...]) {
                group.addTask { await load.operate(generator, prefix: prefix) }
            }
            // The moment itself is what is tried.
            try await Task.sleep(for: .milliseconds(delay))
            await kill("at a random moment")
            try await group.waitForAll()
        }
        try await inspectAfterKill()
        if Int.random(in: 0..<4, using: &generator) == 0 {
            for name in ledger.names() { try await store.endOverlap(of: name) }
        }
        if Int.random(in: 0..<4, using: &generator) == 0 {
            agent = try site.launchAgent()
            try await Task.sleep(for: .milliseconds(Int.random(in: 0..<200, using: &generator)))
            await kill("while starting")
            try await inspectAfterKill()
        }
        try await restart()
    }

    /// Holds a change at a step of it and kills there, while two clients sign.
    func kill(at step: KillStep) async throws {
        findings.enter("preparing \(step)")
        switch step.change {
        case .retire: try await killWhileRetiring(step)
        case .reconcile: try await killWhileReconciling(step)
        default: try await killWhileChanging(step)
        }
        try await restart()
    }

    private func makeLoad() -> Load {
        Load(ledger: ledger, connect: { [socket = site.socket] in try await .connect(socketPath: socket) }, findings: findings)
    }

    // Changes

    private func killWhileChanging(_ step: KillStep) async throws {
        let client = try await site.connect()
        let requests = ChangeRequests(client: client, ledger: ledger)
        let name = try await prepareIssuer(for: step.change, requests)
        let (kid, change) = try await request(step.change, name, requests)
        let load = makeLoad()
        let generators = [generator.fork(), generator.fork()]
        try await withThrowingTaskGroup(of: Void.self) { group in
            for generator in generators { group.addTask { await load.sign(generator) } }
            let lock = try await reach(step, name) {
                Task {
                    do { try await change() } catch is AgentUnreachable {}
                }
            }
            await kill("\(step)")
            lock?.release()
            try await group.waitForAll()
        }
        await client.close()
        try await running?.value
        running = nil
        await frontend?.close()
        frontend = nil
        // An order that has been begun is carried out, whoever waits for its reply.
        if step.hold == .takeOver, let kid { ledger.update(name) { _ = $0.revoked.insert(kid) } }
        // Then the kill leaves nothing in doubt: it cannot have happened.
        if step.precedesCommit {
            ledger.update(name) { record in
                record.isInDoubt = false
                record.isDeletionInDoubt = false
            }
        }
        try await inspectAfterKill()
    }

    /// An issuer that the change can be made of, with nothing of it left to do. Those of earlier steps go.
    private func prepareIssuer(for change: KillStep.Change, _ requests: ChangeRequests) async throws -> String {
        for old in ledger.names() where old.hasPrefix("s-") { try await requests.delete(old) }
        let name = Load.freshName("s-", &generator)
        guard change != .create else {
            try await awaitSettledStore()
            return name
        }
        try await requests.create(name, Int.random(in: 0..<8, using: &generator) == 0 ? "RS256" : "ES256")
        try await awaitSettledStore()
        switch change {
        case .rotateTwice, .revokeRetiring, .delete, .retire, .reconcile: try await requests.rotate(name)
        case .enable: try await requests.enable(name, false)
        case .create, .rotate, .revokeActive, .revokeStandby, .disable: break
        }
        try await awaitSettledStore()
        return name
    }

    private func awaitSettledStore() async throws {
        let isSettled = await poll("a settled store") { try await self.store.isSettled() }
        findings.expect(isSettled, "the agent leaves things undone")
    }

    /// The change as a request; a key that it names is looked up now, before anything is held.
    private func request(
        _ change: KillStep.Change, _ name: String, _ requests: ChangeRequests
    ) async throws -> (kid: String?, change: @Sendable () async throws -> Void) {
        let state = change.revokedState
        let kid = if let state { try await requests.kid(state, of: name) } else { String?.none }
        let change: @Sendable () async throws -> Void = {
            switch change {
            case .create: try await requests.create(name, "ES256")
            case .rotate, .rotateTwice, .reconcile, .retire: try await requests.rotate(name)
            case .delete: try await requests.delete(name)
            case .enable: try await requests.enable(name, true)
            case .disable: try await requests.enable(name, false)
            case .revokeActive, .revokeRetiring, .revokeStandby:
                guard let kid else { throw CampaignError("\(name) has no \(state ?? "") key") }
                try await requests.revoke(kid, of: name)
            }
        }
        return (kid, change)
    }

    /// Has the change asked for, and returns when the agent is at the step. A lock that is returned keeps it there.
    private func reach(
        _ step: KillStep, _ name: String, _ start: () -> Task<Void, any Error>
    ) async throws -> WriteTransaction? {
        switch step.hold {
        case .before(let function, let number):
            try token.set("\(function) hold nth=\(number)")
            running = start()
            try await awaitHeld(function)
        case .after(let function, let number):
            try token.set("\(function) hold-after nth=\(number)")
            running = start()
            try await awaitHeld(function)
        case .commit:
            let lock = try await store.lock()
            running = start()
            try await sleepBriefly()
            return lock
        case .commitOfKey:
            try token.set("C_GenerateKeyPair hold-after")
            running = start()
            try await awaitHeld("C_GenerateKeyPair")
            let lock = try await store.lock()
            try token.clear()
            try await sleepBriefly()
            return lock
        case .takeOver:
            let before = try await store.generation(of: name)
            let frontend = try await site.connect()
            // It says nothing of what it serves, so it is waited for: for a second, in which the kill comes, or comes too late.
            _ = try await frontend.watch(acknowledges: true)
            running = start()
            let isPublished = await poll("the publication") { try await self.store.generation(of: name) != before }
            findings.expect(isPublished, "\(step) was never reached")
            self.frontend = frontend
        case .signature:
            let before = try await store.generation(of: name)
            try token.set("C_Sign hold")
            try await awaitHeld("C_Sign")
            running = start()
            let isCommitted = await poll("the commit") { try await self.store.generation(of: name) != before }
            findings.expect(isCommitted, "\(step) was never reached")
        case .reply:
            running = start()
            try await running?.value
        }
        return nil
    }

    private func awaitHeld(_ function: String) async throws {
        let isHeld = try await token.waitFor("\(function):held")
        let counters = try token.counters().filter { $0.key.hasPrefix(function) }
        findings.expect(isHeld, "\(function) was never reached: \(counters)")
    }

    /// What waits for the database cannot be seen from outside. Whether it has come so far or not, nothing may be lost.
    private func sleepBriefly() async throws {
        try await Task.sleep(for: .milliseconds(Int.random(in: 5..<80, using: &generator)))
    }

    // What a start does

    private func killWhileRetiring(_ step: KillStep) async throws {
        let client = try await site.connect()
        let name = try await prepareIssuer(for: .retire, ChangeRequests(client: client, ledger: ledger))
        await client.close()
        let status = await agent.end()
        findings.expect(status == 0, "the agent ended with status \(status)")
        try await store.endOverlap(of: name)
        try await killWhileStarting(step)
    }

    private func killWhileReconciling(_ step: KillStep) async throws {
        try await killWhileChanging(KillStep(change: .rotateTwice, hold: .before("C_DestroyObject")))
        try await killWhileStarting(step)
    }

    private func killWhileStarting(_ step: KillStep) async throws {
        switch step.hold {
        case .before(let function, let number):
            try token.set("\(function) hold nth=\(number)")
            agent = try site.launchAgent()
            try await awaitHeld(function)
        case .after(let function, let number):
            try token.set("\(function) hold-after nth=\(number)")
            agent = try site.launchAgent()
            try await awaitHeld(function)
        default:
            throw CampaignError("\(step) is none")
        }
        await kill("\(step)")
        try await inspectAfterKill()
    }
}

extension KillStep.Change {
    /// The state of the key that is revoked.
    fileprivate var revokedState: String? {
        switch self {
        case .revokeActive: "active"
        case .revokeRetiring: "retiring"
        case .revokeStandby: "standby"
        default: nil
        }
    }
}
