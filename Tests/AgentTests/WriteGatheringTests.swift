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

    @Test("is done at once, or after what is being gathered, each once and in their order")
    func order() {
        let (writes, written) = (WriteGathering(), Locked<[String]>([]))
        func write(_ name: String) { writes.write(Named(name, written)) }
        func all() -> [String] { written.withLock { $0 } }
        write("a")
        #expect(all() == ["a"])
        writes.gathering {
            write("b")
            writes.gathering { write("c") }
            write("d")
            #expect(all() == ["a"])
        }
        #expect(all() == ["a", "b", "c", "d"])
        write("e")
        #expect(all() == ["a", "b", "c", "d", "e"])
    }
}
