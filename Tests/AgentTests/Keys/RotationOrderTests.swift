import KeyLifecycle
import Testing

@testable import Agent

@Suite("How a rotation that is asked for is planned")
struct RotationOrderTests {
    private let later = Scene.moment + 1_000
    private let trusted = RotationOrder.Conditions(isClockTrusted: true)
    private let issuer = Scene.issuer(Scene.key(1, .active), Scene.key(2, .standby))
    private let inOverlap = Scene.issuer(Scene.key(1, .active), Scene.key(2, .standby), Scene.key(3, .retiring))

    @Test("the generation the caller has seen counts for each of them but what is due")
    func generations() throws {
        let stale: [RotationOrder] = [
            .rotate(ifGeneration: 4), .cancel(ifGeneration: 4), .revoke(kid: Scene.kid(1), ifGeneration: 4),
        ]
        for order in stale {
            let error = #expect(throws: LifecycleError.self) { try order.plan(for: issuer, at: later, trusted) }
            #expect(error?.code == .conflict && error?.generation == 5)
        }
        #expect(try RotationOrder.rotate(ifGeneration: 5).plan(for: issuer, at: later, trusted).generation == 5)
    }

    @Test("a rotation takes the standby key, inside an overlap a fresh one, or is refused there")
    func rotating() throws {
        #expect(try RotationOrder.rotate().plan(for: issuer, at: later, trusted).freshKey == nil)
        #expect(try RotationOrder.rotate().plan(for: inOverlap, at: later, trusted).freshKey != nil)
        let error = #expect(throws: LifecycleError.self) {
            try RotationOrder.rotate(revokes: false).plan(for: inOverlap, at: later, trusted)
        }
        #expect(error?.code == .wouldRevoke)
    }

    @Test("one that waits until it surprises nobody takes no word of a clock that may be wrong")
    func waiting() throws {
        let safe = RotationOrder.rotate(whenSafe: true)
        let known = Scene.moment + IssuerSettings().jwksMaxAge * 10
        let byClock = try safe.plan(for: issuer, at: known, trusted)
        let without = try safe.plan(for: issuer, at: known, RotationOrder.Conditions(isClockTrusted: false))
        #expect(byClock.signsFrom == nil && without.signsFrom != nil)
    }

    @Test("a revocation alone goes ahead without a fresh key, with the standby key then")
    func revoking() throws {
        let order = RotationOrder.revoke(kid: Scene.kid(1))
        #expect(try order.plan(for: issuer, at: later, trusted).freshKey != nil)
        let without = try order.plan(
            for: issuer, at: later, RotationOrder.Conditions(isClockTrusted: true, canGenerate: false))
        guard case .standby(let kid, _) = without.incoming else {
            Issue.record("\(without)")
            return
        }
        #expect(kid == Scene.kid(2) && without.revoked == [Scene.kid(1)])
        #expect(order.isRevocation && !RotationOrder.rotate().isRevocation && !RotationOrder.whatIsDue.isRevocation)
    }

    @Test("what is due by time is a conflict once it is due no more")
    func due() {
        let error = #expect(throws: LifecycleError.self) { try RotationOrder.whatIsDue.plan(for: issuer, at: later, trusted) }
        #expect(error?.code == .conflict)
    }
}
