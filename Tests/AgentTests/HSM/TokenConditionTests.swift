import PKCS11
import Testing

@testable import Agent

@Suite("When the token is out of use, and what is done to bring it back")
struct TokenConditionTests {
    private static let second: Int64 = 1_000_000_000
    private let gone = Self.failure("gone", .deviceRemoved, .token)
    private let silent = Self.failure("does not sign", .deviceError, .signature)
    private let unloaded = Self.failure("cannot be initialised", .hostMemory, .module)
    private let throttled = Self.failure("throttled", .functionFailed, .signature)
    private let refused = TokenCondition.Failure(error: HSMError(.pinRefused, "refused", hint: ""), stage: .token)

    private static func failure(
        _ message: String, _ value: ReturnValue, _ stage: TokenCondition.Failure.Stage
    ) -> TokenCondition.Failure {
        let cause = PKCS11Error(function: "C_Sign", value)
        return TokenCondition.Failure(error: HSMError(.unavailable, message, hint: "", cause: cause), stage: stage)
    }

    private func condition() -> TokenCondition {
        TokenCondition(longestInitialisationPause: 30 * Self.second)
    }

    @Test("a suspicion alone takes nothing out of use: it is probed, and a probe that signs ends it")
    func suspicion() {
        var condition = condition()
        #expect(condition.action(at: 0, stuckCalls: 0) == .wait(until: nil))
        condition.suspect()
        #expect(condition.trouble == nil)
        #expect(condition.action(at: 0, stuckCalls: 0) == .probe)
        condition.probed(nil, at: 0)
        #expect(condition.action(at: 0, stuckCalls: 0) == .wait(until: nil))
    }

    @Test("a failed probe takes the token out of use and has the module initialised at once")
    func initialisation() {
        var condition = condition()
        condition.suspect()
        condition.probed(silent, at: 5 * Self.second)
        #expect(condition.trouble == silent.error)
        #expect(condition.action(at: 5 * Self.second, stuckCalls: 0) == .reinitialise)
        condition.reinitialised(nil, at: 6 * Self.second)
        #expect(condition.trouble == nil)
    }

    /// When the module is initialised anew, of a token that is away for so long: while it is, `failure` is what comes of it.
    private func initialisations(
        of failure: TokenCondition.Failure, for time: Int64, _ condition: inout TokenCondition
    ) -> [Int64] {
        var (now, moments) = (Int64(0), [Int64]())
        condition.suspect()
        condition.probed(failure, at: now)
        while now <= time {
            switch condition.action(at: now, stuckCalls: 0) {
            case .reinitialise:
                moments.append(now)
                condition.reinitialised(failure, at: now)
            case .probe: condition.probed(failure, at: now)
            case .wait(let until?): now = until
            case .wait(nil), .end: return moments
            }
        }
        return moments
    }

    @Test(
        "a token that is back is in use within two seconds and a try, however long it was away, and is not asked more often",
        arguments: [1, 5, 60, 86_400], [TokenCondition.Failure.Stage.module, .token])
    func returning(seconds: Int64, stage: TokenCondition.Failure.Stage) {
        var condition = condition()
        let away = seconds * Self.second
        let failure = stage == .module ? unloaded : gone
        let moments = initialisations(of: failure, for: away, &condition)
        let pauses = zip(moments.dropFirst(), moments).map { $0 - $1 }
        #expect(moments.first == 0)
        #expect(pauses == pauses.sorted() && pauses.allSatisfy { $0 >= TokenCondition.shortestPause })
        #expect(pauses.allSatisfy { $0 <= 2 * Self.second })
        // Longest pauses are reached soon: a day costs its seconds' half, and a few.
        #expect(moments.count <= Int(seconds / 2) + 8)
        #expect(condition.trouble == failure.error)
        guard case .wait(let next?) = condition.action(at: moments.last ?? 0, stuckCalls: 0) else {
            Issue.record("it is not tried again")
            return
        }
        #expect(next - away <= 2 * Self.second)
        #expect(condition.action(at: next, stuckCalls: 0) == .reinitialise)
        condition.reinitialised(nil, at: next)
        #expect(condition.trouble == nil)
    }

    @Test("a token that is reached and does not sign is probed all the time, and reached anew after 1, 2, 4, then each 30 s")
    func silence() {
        var condition = condition()
        let moments = initialisations(of: silent, for: 130 * Self.second, &condition)
        #expect(moments.map { $0 / Self.second } == [0, 1, 3, 7, 15, 31, 61, 91, 121])
        #expect(condition.action(at: 131 * Self.second, stuckCalls: 0) == .probe)
    }

    @Test("a token that goes away while it is reached in vain is looked for at the pace of probes")
    func silentThenGone() {
        var condition = condition()
        _ = initialisations(of: silent, for: 130 * Self.second, &condition)
        condition.probed(gone, at: 131 * Self.second)
        #expect(condition.action(at: 131 * Self.second, stuckCalls: 0) == .reinitialise)
    }

    @Test("nothing but an initialisation is tried of a module that is not initialised, whatever it failed with")
    func uninitialised() {
        var condition = condition()
        condition.suspect()
        condition.probed(gone, at: 0)
        condition.reinitialised(unloaded, at: 0)
        guard case .wait(let until?) = condition.action(at: 0, stuckCalls: 0) else {
            Issue.record("it is called at once")
            return
        }
        #expect(condition.action(at: until, stuckCalls: 0) == .reinitialise)
        #expect(condition.trouble == unloaded.error)
    }

    @Test("a token that needs an initialisation again soon waits longer each time, and one second after a quiet while")
    func relapses() {
        var condition = condition()
        var (now, pauses) = (Int64(0), [Int64]())
        for _ in 1...8 {
            condition.suspect()
            condition.probed(silent, at: now)
            let begun = now
            while condition.action(at: now, stuckCalls: 0) != .reinitialise { now += Self.second / 10 }
            pauses.append(now - begun)
            condition.reinitialised(nil, at: now)
        }
        #expect(pauses.map { $0 / Self.second } == [0, 1, 2, 4, 8, 16, 30, 30])
        now += 60 * Self.second
        condition.suspect()
        condition.probed(silent, at: now)
        #expect(condition.action(at: now, stuckCalls: 0) == .reinitialise)
        condition.reinitialised(nil, at: now)
        condition.suspect()
        condition.probed(silent, at: now)
        #expect(condition.action(at: now, stuckCalls: 0) != .reinitialise)
        #expect(condition.action(at: now + Self.second, stuckCalls: 0) == .reinitialise)
    }

    @Test("the module is not initialised anew against a token that throttles")
    func throttling() {
        var condition = condition()
        condition.suspect()
        condition.probed(throttled, at: 0)
        #expect(condition.action(at: 0, stuckCalls: 0) == .wait(until: TokenCondition.shortestPause))
        #expect(condition.action(at: TokenCondition.shortestPause, stuckCalls: 0) == .probe)
        condition.probed(nil, at: Self.second)
        #expect(condition.trouble == nil)
    }

    @Test("pauses between probes grow to two seconds and no further, so that a token that is back is noticed")
    func pauses() {
        var condition = condition()
        var now: Int64 = 0
        var pauses: [Int64] = []
        condition.suspect()
        for _ in 1...12 {
            condition.probed(throttled, at: now)
            guard case .wait(let until?) = condition.action(at: now, stuckCalls: 0) else {
                Issue.record("no pause")
                return
            }
            pauses.append(until - now)
            now = until
        }
        #expect(pauses.first == TokenCondition.shortestPause)
        #expect(pauses == pauses.sorted())
        #expect(pauses.last == 2 * Self.second)
    }

    @Test("a refused PIN latches: no probe, no initialisation, until its source has changed")
    func latch() {
        var condition = condition()
        condition.suspect()
        condition.probed(refused, at: 0)
        for moment in [0, 60 * Self.second, 86_400 * Self.second] {
            #expect(condition.action(at: moment, stuckCalls: 0) == .wait(until: nil))
        }
        condition.suspect()
        #expect(condition.action(at: 0, stuckCalls: 0) == .wait(until: nil))
        condition.unlatch()
        #expect(condition.trouble == refused.error)
        #expect(condition.action(at: Self.second, stuckCalls: 0) == .probe)
        condition.probed(nil, at: Self.second)
        #expect(condition.trouble == nil)
    }

    @Test("a probe that gets no session decides nothing, three times; then the agent gives its own back to find out")
    func shortage() {
        let none = Self.failure("no session", .sessionCount, .token)
        var condition = condition()
        for _ in 1...TokenCondition.toleratedShortages {
            condition.suspect()
            condition.probed(none, at: 0)
            #expect(condition.trouble == nil)
            #expect(condition.action(at: 0, stuckCalls: 0) == .wait(until: nil))
        }
        condition.suspect()
        #expect(condition.action(at: Self.second, stuckCalls: 0) == .probe)
        condition.probed(none, at: Self.second)
        #expect(condition.trouble == none.error)
        condition.probed(nil, at: 2 * Self.second)
        #expect(condition.trouble == nil)
    }

    @Test("a suspicion right after a successful probe waits a moment")
    func spacing() {
        var condition = condition()
        condition.suspect()
        condition.probed(nil, at: 0)
        condition.suspect()
        #expect(condition.action(at: 0, stuckCalls: 0) == .wait(until: TokenCondition.shortestPause))
        #expect(condition.action(at: TokenCondition.shortestPause, stuckCalls: 0) == .probe)
    }

    @Test(
        "a renewal initialises a module in use once, not within a second of the last, not under a call, and harms no relapse's pause"
    )
    func renewal() {
        var condition = condition()
        for moment in [0, 1, 2, 3].map({ $0 * Self.second }) {
            condition.renew()
            #expect(condition.isRenewalInSight(stuckCalls: 0))
            #expect(condition.action(at: moment, stuckCalls: 0) == .reinitialise)
            condition.reinitialised(nil, at: moment)
            #expect(condition.trouble == nil)
            #expect(condition.action(at: moment, stuckCalls: 0) == .wait(until: nil))
            condition.renew()
            #expect(condition.action(at: moment, stuckCalls: 0) == .wait(until: moment + Self.second))
        }
        #expect(!condition.isRenewalInSight(stuckCalls: 1))
        #expect(condition.action(at: 9 * Self.second, stuckCalls: 1) == .wait(until: nil))
        condition.reinitialised(gone, at: 9 * Self.second)
        #expect(condition.trouble == gone.error && !condition.isRenewalInSight(stuckCalls: 0))
    }

    @Test("an initialisation that found calls under way is tried again later, and not counted as one")
    func busy() {
        var condition = condition()
        condition.suspect()
        condition.probed(gone, at: 0)
        condition.stayedBusy(at: 0)
        #expect(condition.action(at: 0, stuckCalls: 0) != .reinitialise)
        #expect(condition.action(at: TokenCondition.longestPause, stuckCalls: 0) == .reinitialise)
        guard case .end = condition.action(at: TokenCondition.longestPause, stuckCalls: 1) else {
            Issue.record("the process goes on")
            return
        }
    }

    @Test("the module is not finalised under a call that has not returned: the process ends instead")
    func stuck() {
        var condition = condition()
        condition.suspect()
        condition.probed(gone, at: 0)
        guard case .end(let error) = condition.action(at: 0, stuckCalls: 1) else {
            Issue.record("the process goes on")
            return
        }
        #expect(error.code == .stuck)
        // As long as nothing has to be finalised, a call that never returned costs nothing more.
        var other = self.condition()
        other.suspect()
        #expect(other.action(at: 0, stuckCalls: 3) == .probe)
    }
}
