import Foundation
import Platform
import Testing

@testable import Agent

@Suite("Writing to connections")
struct WriteGatheringTests {
    private final class Named: Writable {
        let name: String
        let written: Locked<[String]>

        init(_ name: String, _ written: Locked<[String]>) {
            self.name = name
            self.written = written
        }

        func write() {
            written.withLock { $0.append(name) }
        }
    }

    @Test("is done at once, or after what the thread gathers, in the order it came")
    func order() {
        let (writes, written) = (WriteGathering(), Locked<[String]>([]))
        func write(_ name: String) { writes.write(Named(name, written)) }
        func all() -> [String] { written.withLock { $0 } }
        write("a")
        #expect(all() == ["a"])
        writes.gathering {
            write("b")
            write("c")
            #expect(all() == ["a"])
        }
        #expect(all() == ["a", "b", "c"])
        write("d")
        #expect(all() == ["a", "b", "c", "d"])
    }

    @Test("is done at once for threads that do not gather")
    func others() {
        let (writes, written) = (WriteGathering(), Locked<[String]>([]))
        writes.gathering {
            writes.write(Named("own", written))
            let isDone = Signal()
            Thread.detachNewThread {
                writes.write(Named("other", written))
                isDone.send()
            }
            isDone.wait()
            #expect(written.withLock { $0 } == ["other"])
        }
        #expect(written.withLock { $0 } == ["other", "own"])
    }
}
