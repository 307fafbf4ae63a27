import AgentProtocol
import KeyLifecycle
import Platform
import Testing

@testable import Agent

@Suite struct ConductTests {
    private let clock = SteppedClock()

    private func note(_ lines: Int, of party: Party, in conduct: Conduct) {
        for _ in 1...lines { conduct.note(party) }
    }

    @Test func `Some useless lines are everybody's right, and each second brings more`() {
        let conduct = Conduct(clock: clock.agentClock)
        let account = conduct.account(of: .user(1))
        note(256, of: .user(1), in: conduct)
        #expect(account.pause == nil)
        for _ in 1...10 {
            clock.pass(seconds: 1)
            note(64, of: .user(1), in: conduct)
            #expect(account.pause == nil)
        }
        note(1, of: .user(1), in: conduct)
        #expect(account.pause != nil)
    }

    @Test func `Who goes on is read more and more rarely, up to once a second, until it has been quiet`() {
        let conduct = Conduct(clock: clock.agentClock)
        let account = conduct.account(of: .user(1))
        note(256, of: .user(1), in: conduct)
        var pauses: [Int64] = []
        for _ in 1...9 {
            note(17, of: .user(1), in: conduct)
            let pause = account.pause ?? 0
            pauses.append(pause / 1_000_000)
            clock.pass(nanoseconds: pause)
            #expect(account.pause == nil)
        }
        #expect(pauses == [10, 20, 40, 80, 160, 320, 640, 1_000, 1_000])
        clock.pass(seconds: 60)
        note(257, of: .user(1), in: conduct)
        #expect(account.pause == 10_000_000)
    }

    @Test func `One party's lines cost no other, and strangers are one party`() {
        let policy = AccessPolicy(
            rules: [AccessRule(name: "a", user: 1, methods: nil), AccessRule(name: "b", group: 7, methods: [.sign])],
            overflowUID: 65_534, overflowGID: 65_534)
        func party(_ uid: UInt32, _ gid: UInt32 = 0) -> Party { policy.party(of: Caller(uid: uid, gid: gid, pid: 1)) }
        #expect(party(1) == .user(1) && party(2, 7) == .user(2))
        #expect(party(3) == .strangers && party(4) == .strangers && party(65_534, 7) == .strangers)
        let conduct = Conduct(clock: clock.agentClock)
        note(300, of: party(3), in: conduct)
        #expect(conduct.account(of: party(4)).pause != nil)
        #expect(conduct.account(of: party(1)).pause == nil)
    }

    @Test func `What an account says is not forgotten while somebody looks at it, however many there are`() {
        let conduct = Conduct(clock: clock.agentClock)
        let account = conduct.account(of: .user(0))
        for uid in UInt32(1)...3_000 { conduct.note(.user(uid)) }
        clock.pass(seconds: 60)
        for uid in UInt32(3_001)...6_000 { conduct.note(.user(uid)) }
        note(257, of: .user(0), in: conduct)
        #expect(account.pause != nil)
    }
}

/// A monotonic clock that moves by nanoseconds.
final class SteppedClock: Sendable {
    private let time = Locked<Int64>(1_000_000_000_000)

    var agentClock: AgentClock {
        AgentClock(wall: { Timestamp(seconds: 1_795_514_400) }, monotonic: { self.time.withLock { $0 } })
    }

    func pass(nanoseconds: Int64) {
        time.withLock { $0 += nanoseconds }
    }

    func pass(seconds: Int64) {
        pass(nanoseconds: seconds * 1_000_000_000)
    }
}
