import FaultyTokenSupport
import Foundation
import PKCS11
import Platform
import Testing

@Suite("A call that is held")
struct HoldTests {
    @Test(
        "has not reached the token before, and has after; both are counted and go on when the rule is gone",
        arguments: [
            ("hold", 2), ("hold-after", 4),
        ])
    func holds(action: String, objects: Int) async throws {
        try await FaultyToken.with { token in
            let watching = try token.session()
            _ = try watching.generateKeyPair(.ec(.p256), id: [1], label: "key")
            try token.set("C_GenerateKeyPair \(action)", "C_Sign hold")
            let outcome = inThread {
                _ = try token.session().generateKeyPair(.ec(.p256), id: [2], label: "held")
            }
            #expect(try await token.waitFor("C_GenerateKeyPair:held"))
            #expect(try watching.findObjects([]).count == objects)
            #expect(outcome.withLock { $0 } == nil)
            try token.set("C_Sign hold")
            #expect(await ended(outcome) == "done")
            #expect(try token.count("C_GenerateKeyPair:held") == 0)
            #expect(try watching.findObjects([]).count == 4)
        }
    }

    @Test("goes on when the time of its rule is over")
    func time() async throws {
        try await FaultyToken.with { token in
            let slot = try token.slot()
            try token.set("C_GetTokenInfo hold for=30ms")
            let outcome = inThread { _ = try slot.tokenInfo() }
            #expect(await ended(outcome) == "done")
        }
    }

    @Test("does not hold up the others")
    func others() async throws {
        try await FaultyToken.with { token in
            let slot = try token.slot()
            try token.set("C_GetTokenInfo hold count=1")
            let outcome = inThread { _ = try slot.tokenInfo() }
            #expect(try await token.waitFor("C_GetTokenInfo:held"))
            _ = try slot.tokenInfo()
            #expect(outcome.withLock { $0 } == nil)
            try token.clear()
            #expect(await ended(outcome) == "done")
        }
    }

    /// Runs something that blocks on a thread of its own. Nil until it has ended, then how.
    private func inThread(_ body: @escaping @Sendable () throws -> Void) -> Locked<String?> {
        let outcome = Locked<String?>(nil)
        Thread.detachNewThread {
            do {
                try body()
                outcome.withLock { $0 = "done" }
            } catch {
                outcome.withLock { $0 = "\(error)" }
            }
        }
        return outcome
    }

    private func ended(_ outcome: Locked<String?>) async -> String? {
        let deadline = ContinuousClock.now + .seconds(120)
        while ContinuousClock.now < deadline {
            if let text = outcome.withLock({ $0 }) { return text }
            try? await Task.sleep(for: .milliseconds(2))
        }
        return nil
    }
}
