import KeyLifecycle
import Platform
import Testing

@testable import Agent

@Suite("The signing state of each issuer")
struct SigningBoardTests {
    private let board = SigningBoard()
    private let resumed = Locked<[String]>([])
    private let clock = AgentClock(wall: { Scene.moment }, monotonic: { 0 })

    private func state(_ number: UInt8 = 1) throws -> SigningState {
        let key = Scene.key(number, .active)
        return SigningState(key: try KeyReference(key), policy: ClaimsPolicy(Scene.issuer(key)))
    }

    private func resume(_ what: String) -> @Sendable () -> Void {
        { [resumed] in resumed.withLock { $0.append(what) } }
    }

    private var refusal: SigningRefusal { .hsm(.unchecked) }

    private func isRefused(_ name: String = "demo") -> Bool {
        do throws(SigningRefusal) {
            try board.begin(name).key.use.end()
            return false
        } catch {
            if case .hsm(let error) = error { return error == .unchecked }
            return false
        }
    }

    @Test("an issuer that was never put there, or was taken off, has no key to sign with")
    func unknown() throws {
        try board.install(state(), for: "other")
        board.install(nil, for: "other")
        for name in ["demo", "other"] {
            do throws(SigningRefusal) {
                _ = try board.begin(name)
                Issue.record("\(name) signs")
            } catch {
                guard case .issuer(let error) = error, error.code == .issuerNotFound else {
                    Issue.record("\(error)")
                    return
                }
            }
        }
    }

    @Test("a key that is replaced is handed back, and is in use until its last signature has ended")
    func replacement() async throws {
        let (first, second) = (try state(1), try state(2))
        #expect(board.install(first, for: "demo") == nil)
        let taken = try board.begin("demo")
        #expect(taken.key === first.key)
        #expect(board.install(first, for: "demo") == nil, "it is the same key")
        let former = try #require(board.install(second, for: "demo"))
        #expect(former === first.key)
        #expect(try board.begin("demo").key === second.key)
        let isDrained = Locked(false)
        let drained = Task {
            await former.use.drained()
            isDrained.withLock { $0 = true }
        }
        for _ in 1...100 { await Task.yield() }
        #expect(!isDrained.withLock { $0 })
        taken.key.use.end()
        await drained.value
    }

    @Test("what is refused takes no key, and says why until it is refused no more")
    func refusing() async throws {
        let state = try state()
        board.install(state, refusing: refusal, for: "demo")
        #expect(isRefused())
        await state.key.use.drained()
        board.setRefusal(nil, for: "demo")
        #expect(!isRefused())
        board.setRefusal(refusal, for: "demo")
        #expect(isRefused())
        board.setRefusal(refusal, for: "none")
        #expect(!isRefused("none"))
    }

    @Test("a freeze dates what is signed, and ends with a thaw")
    func freezing() throws {
        board.install(try state(), for: "demo")
        #expect(board.freeze("demo", clock: clock) == Scene.moment)
        #expect(try board.begin("demo").datedAtMost == Scene.moment)
        board.thaw("demo")
        #expect(try board.begin("demo").datedAtMost == nil)
    }

    @Test("a request that waits for the thaw goes on with it, once, and at once where nothing is frozen")
    func waiting() throws {
        board.install(try state(), for: "demo")
        board.whenThawed("demo", resume("at once"))
        board.whenThawed("none", resume("no issuer"))
        #expect(resumed.withLock { $0 } == ["at once", "no issuer"])
        _ = board.freeze("demo", clock: clock)
        board.whenThawed("demo", resume("first"))
        board.whenThawed("demo", resume("second"))
        #expect(resumed.withLock { $0.count } == 2)
        board.thaw("demo")
        board.thaw("demo")
        #expect(resumed.withLock { $0.dropFirst(2) } == ["first", "second"])
    }

    @Test("a replacement thaws, also where the issuer is taken off, and whoever waits goes on with what is there then")
    func replacementThaws() throws {
        board.install(try state(), for: "demo")
        for next in [try state(2), nil] {
            _ = board.freeze("demo", clock: clock)
            board.whenThawed("demo") { [board, resumed] in
                let kid = (try? board.begin("demo"))?.key.kid ?? "none"
                resumed.withLock { $0.append(kid) }
            }
            board.install(next, for: "demo")
            if next != nil { #expect(try board.begin("demo").datedAtMost == nil) }
        }
        #expect(resumed.withLock { $0 } == [Scene.kid(2), "none"])
    }
}
