import AgentClient
import AgentProtocol
import FaultyTokenSupport
import Foundation
import KeyLifecycle
import Platform
import Testing

@testable import Agent

@Suite("Keys that nobody waits for")
struct BackgroundGenerationTests {
    /// Without the right to raise a priority none is lowered: see `systemd/privyseald.service`.
    private static let canLower = (try? ThreadPriority.requireRestorable()) != nil

    /// Generations so far: those at the ordinary priority, and those at the lower one.
    private func generations(_ token: FaultyToken) throws -> [Int] {
        let lowered = try token.count("C_GenerateKeyPair:begun-idle")
        return [try token.count("C_GenerateKeyPair") - lowered, lowered]
    }

    /// Has the next generation held, rotates the issuer, and returns once its next standby key is held at the lower priority.
    private func holdStandby(of issuer: String, _ client: AgentConnection, _ token: FaultyToken) async throws {
        let before = try generations(token)
        try token.set("C_GenerateKeyPair hold count=1")
        try await client.rotate(issuer)
        #expect(try await token.waitFor("C_GenerateKeyPair:held"))
        #expect(try generations(token) == [before[0], before[1] + 1])
        #expect(try token.count("C_GenerateKeyPair:held-raised") == 0)
    }

    /// Has a standby key of issuer `a` held at the lower priority, and one of `b` to be made after it; generations before.
    private func holdOneBeforeAnother(
        _ agent: AgentFixture, _ client: AgentConnection, _ token: FaultyToken
    ) async throws -> [Int] {
        for name in ["a", "b"] { try await client.create(name) }
        await agent.settle()
        let before = try generations(token)
        try await holdStandby(of: "a", client, token)
        try await client.rotate("b")
        return before
    }

    @Test(
        "standby keys are generated at a lower priority, and what an operation waits for at the ordinary one",
        .enabled(if: canLower, "takes the right to raise a priority again"))
    func priorities() async throws {
        try await AgentFixture.with { agent, token, client in
            try await client.create("first", standby: false)
            #expect(try generations(token) == [1, 0])
            try await client.create()
            await agent.settle()
            #expect(try generations(token) == [2, 1])
            // To the standby key; the next one is made after the reply.
            try await client.rotate()
            await agent.settle()
            #expect(try generations(token) == [2, 2])
            // Revokes, with a fresh key.
            #expect(try await client.rotate().plan.revoked.count == 2)
            await agent.settle()
            #expect(try generations(token) == [3, 3])
            _ = try await client.revoke(try await client.status().activeKid)
            await agent.settle()
            #expect(try generations(token)[0] == 4)
            // A rotation without a standby key.
            try await client.rotate("first")
            #expect(try generations(token)[0] == 5)
        }
    }

    @Test(
        "one that is under way when somebody comes to wait for the token is given the ordinary priority there and then",
        .enabled(if: canLower, "takes the right to raise a priority again"))
    func othersWait() async throws {
        try await AgentFixture.with { agent, token, client in
            try await client.create()
            await agent.settle()
            try await holdStandby(of: "demo", client, token)
            async let created = agent.connected { _ = try await $0.create("second", standby: false) }
            #expect(try await token.waitFor("C_GenerateKeyPair:held-raised"))
            try token.clear()
            try await created
            await agent.settle()
            #expect(try await client.status().keyCounts.standby == 1)
        }
    }

    @Test(
        "one keeps the lower priority while others that nobody waits for get in line",
        .enabled(if: canLower, "takes the right to raise a priority again"))
    func nobodyElseWaits() async throws {
        try await AgentFixture.with { agent, token, client in
            try await client.create()
            await agent.settle()
            try await holdStandby(of: "demo", client, token)
            let custody = try await #require(agent.server).registry.custody
            let timesAsked = Locked(0)
            async let checked: Void = custody.requireUnused(
                KeyID(SystemRandom.bytes(KeyID.length))!,
                urgency: .background {
                    timesAsked.withLock { $0 += 1 }
                    return false
                })
            // Before it is put in line, and once it is.
            #expect(await eventually { timesAsked.withLock { $0 >= 2 } })
            try token.clear()
            try await checked
            await agent.settle()
            #expect(try token.count("C_GenerateKeyPair:held-raised") == 0)
        }
    }

    @Test(
        "one that the issuer's next change waits for is given the ordinary priority, and before others if it is queued",
        .enabled(if: canLower, "takes the right to raise a priority again"))
    func ownIssuerWaits() async throws {
        try await AgentFixture.with { agent, token, client in
            let before = try await holdOneBeforeAnother(agent, client, token)
            // The one of b gets in line, and nobody waits for it either.
            try await Task.sleep(for: .milliseconds(200))
            #expect(try token.count("C_GenerateKeyPair:held-raised") == 0)
            let revoked = Locked(0)
            async let rotated = agent.connected { client in
                let result = try await client.rotate("b")
                revoked.withLock { $0 = result.plan.revoked.count }
            }
            #expect(try await token.waitFor("C_GenerateKeyPair:held-raised"))
            try token.clear()
            try await rotated
            #expect(revoked.withLock { $0 } == 2)
            await agent.settle()
            // At the lower one: a's standby key, and b's last. At the ordinary one: the one b waited for, and the fresh one.
            #expect(try generations(token) == [before[0] + 2, before[1] + 2])
        }
    }

    @Test(
        "one that is under way or queued when the agent ends is given the ordinary priority",
        .enabled(if: canLower, "takes the right to raise a priority again"))
    func endingWaits() async throws {
        try await AgentFixture.with { agent, token, client in
            let before = try await holdOneBeforeAnother(agent, client, token)
            async let stopped: Void = agent.stop()
            #expect(try await token.waitFor("C_GenerateKeyPair:held-raised"))
            try token.clear()
            await stopped
            #expect(try generations(token) == [before[0] + 1, before[1] + 1])
        }
    }

    @Test("are generated all the same where no priority can be raised again", .enabled(if: getuid() == 0))
    func withoutRight() async {
        await #expect(processExitsWith: .success) {
            try #require(setgid(65_534) == 0 && setuid(65_534) == 0)
            guard (try? ThreadPriority.requireRestorable()) == nil else { return }
            try await AgentFixture.with { agent, token, client in
                try await client.create()
                await agent.settle()
                try await client.rotate()
                await agent.settle()
                #expect(try await client.status().keyCounts.standby == 1)
                #expect(try token.count("C_GenerateKeyPair") == 3)
                #expect(try token.count("C_GenerateKeyPair:begun-idle") == 0)
            }
        }
    }

    @Test(
        "one that takes long is not held back for longer than a call may take",
        .enabled(if: canLower, "takes the right to raise a priority again"))
    func overdue() async throws {
        try await AgentFixture.stopped { agent, token in
            agent.configuration.withLock { $0.hsm.callLimitSeconds = 5 }
            try await agent.start()
            try await agent.connected { client in
                try await client.create()
                await agent.settle()
                try await holdStandby(of: "demo", client, token)
                agent.clock.pass(6)
                #expect(try await token.waitFor("C_GenerateKeyPair:held-raised"))
                try token.clear()
                await agent.settle()
                #expect(try await client.status().keyCounts.standby == 1)
            }
        }
    }
}

@Suite("The lower priority of work that nobody waits for")
struct BackgroundPriorityTests {
    /// What threads were told, instead of their priority being changed: whether it is lowered.
    private final class Told: Sendable {
        let changes = Locked<[Bool]>([])
        let failure = Locked(PlatformError?.none)

        func priority(_ clock: AgentClock = TestClock().agentClock, usable: Bool = true) -> BackgroundPriority {
            BackgroundPriority(
                clock: clock,
                requireUsable: { () throws(PlatformError) in
                    if !usable { throw PlatformError(.denied, "no", hint: "none") }
                },
                setIdle: { (_, isIdle) throws(PlatformError) in
                    if let failure = self.failure.withLock({ $0 }) { throw failure }
                    self.changes.withLock { $0.append(isIdle) }
                })
        }
    }

    // Nothing is awaited between the calls of a test: a priority is that of the thread it runs on.

    @Test("is the ordinary one again afterwards")
    func restored() {
        let told = Told()
        let priority = told.priority()
        priority.lower { false }
        #expect(told.changes.withLock { $0 } == [true])
        priority.restore()
        #expect(told.changes.withLock { $0 } == [true, false])
        priority.restore()
        priority.raise()
        #expect(told.changes.withLock { $0.count } == 2)
    }

    @Test("is not for work that somebody waits for by now")
    func awaited() {
        let told = Told()
        let priority = told.priority()
        priority.lower { true }
        priority.raise()
        priority.restore()
        #expect(told.changes.withLock { $0 }.isEmpty)
    }

    @Test("ends when somebody raises it, also if that comes just as it is lowered")
    func raised() {
        let told = Told()
        let priority = told.priority()
        priority.lower { false }
        priority.raise()
        #expect(told.changes.withLock { $0 } == [true, false])
        priority.restore()

        told.changes.withLock { $0 = [] }
        // Asked once `raise()` has an effect: one that comes then is before the priority is lowered.
        priority.lower {
            priority.raise()
            return false
        }
        #expect(told.changes.withLock { $0 } == [false, true, false])
        priority.restore()
        #expect(told.changes.withLock { $0.last } == false)
    }

    @Test("lasts no longer than it is allowed to")
    func limited() {
        let told = Told()
        let clock = TestClock()
        let priority = told.priority(clock.agentClock)
        priority.lower { false }
        clock.pass(9)
        priority.raise(loweredFor: 10)
        #expect(told.changes.withLock { $0 } == [true])
        clock.pass(1)
        priority.raise(loweredFor: 10)
        #expect(told.changes.withLock { $0 } == [true, false])
    }

    @Test("is left alone where it could not be raised again, and why is told")
    func unusable() {
        let told = Told()
        let priority = told.priority(usable: false)
        #expect(priority.obstacle == PlatformError(.denied, "", hint: ""))
        priority.lower { false }
        priority.raise()
        priority.restore()
        #expect(told.changes.withLock { $0 }.isEmpty)
    }

    @Test("is given up for good when it cannot be changed any more, and no work fails for that")
    func failing() {
        let told = Told()
        let priority = told.priority()
        told.failure.withLock { $0 = PlatformError(.denied, "not any more", hint: "none") }
        priority.lower { false }
        priority.restore()
        #expect(priority.obstacle == PlatformError(.denied, "", hint: ""))
        told.failure.withLock { $0 = nil }
        told.changes.withLock { $0 = [] }
        priority.lower { false }
        #expect(told.changes.withLock { $0 }.isEmpty)
    }
}
