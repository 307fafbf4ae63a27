import NIOEmbedded
import Platform
import Testing

@testable import Agent

@Suite("Waking event loops")
struct LoopWakerTests {
    @Test("a write is run at once, or after what is being gathered, each once and in their order")
    func order() {
        let (waker, loop, other) = (LoopWaker(), EmbeddedEventLoop(), EmbeddedEventLoop())
        let written = Locked<[String]>([])
        func wake(_ name: String, _ loop: EmbeddedEventLoop) {
            waker.wake(loop) { written.withLock { $0.append(name) } }
        }
        func run() -> [String] {
            loop.run()
            other.run()
            return written.withLock { $0 }
        }
        wake("a", loop)
        #expect(run() == ["a"])
        waker.gathering {
            wake("b", loop)
            waker.gathering { wake("c", other) }
            wake("d", loop)
            #expect(run() == ["a"])
        }
        #expect(run() == ["a", "b", "d", "c"])
        wake("e", other)
        #expect(run() == ["a", "b", "d", "c", "e"])
    }
}
