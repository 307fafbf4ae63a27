import PKCS11
import Testing

@testable import Agent

@Suite("When the token is out of use, and what is done to bring it back")
struct TokenConditionTests {
    private static let second: Int64 = 1_000_000_000
    private let gone = HSMError(
        .unavailable, "gone", hint: "", cause: PKCS11Error(function: "C_Sign", .deviceRemoved))
    private let throttled = HSMError(
        .unavailable, "throttled", hint: "", cause: PKCS11Error(function: "C_Sign", .functionFailed))
    private let refused = HSMError(.pinRefused, "refused", hint: "")

    private func condition() -> TokenCondition {
        TokenCondition(initialisationInterval: 30 * Self.second)
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

    @Test("a failed probe takes the token out of use and has the module initialised at once, then not again for the interval")
    func initialisation() {
        var condition = condition()
        condition.suspect()
        condition.probed(gone, at: 5 * Self.second)
        #expect(condition.trouble == gone)
        #expect(condition.action(at: 5 * Self.second, stuckCalls: 0) == .reinitialise)
        condition.reinitialised(gone, at: 6 * Self.second)
        #expect(condition.action(at: 8 * Self.second, stuckCalls: 0) == .probe)
        let late = 36 * Self.second - 1
        condition.probed(gone, at: late)
        #expect(condition.action(at: late, stuckCalls: 0) == .wait(until: 36 * Self.second))
        #expect(condition.action(at: 36 * Self.second, stuckCalls: 0) == .reinitialise)
        condition.reinitialised(nil, at: 36 * Self.second)
        #expect(condition.trouble == nil)
    }

    @Test("an interval counts from the last initialisation also when the token was in use between")
    func intervalAcrossRecoveries() {
        var condition = condition()
        condition.suspect()
        condition.probed(gone, at: 0)
        condition.reinitialised(nil, at: 0)
        condition.suspect()
        condition.probed(gone, at: Self.second)
        #expect(condition.action(at: Self.second, stuckCalls: 0) != .reinitialise)
        #expect(condition.action(at: 30 * Self.second, stuckCalls: 0) == .reinitialise)
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
        #expect(condition.trouble == refused)
        #expect(condition.action(at: Self.second, stuckCalls: 0) == .probe)
        condition.probed(nil, at: Self.second)
        #expect(condition.trouble == nil)
    }

    @Test("a probe that gets no session decides nothing, three times; then the agent gives its own back to find out")
    func shortage() {
        let none = HSMError(.busy, "no session", hint: "", cause: PKCS11Error(function: "C_OpenSession", .sessionCount))
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
        #expect(condition.trouble == none)
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
