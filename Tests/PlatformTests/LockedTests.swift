import Platform
import Testing

@Suite struct LockedTests {
    @Test("increments from many tasks all count")
    func exclusive() async {
        let counter = Locked(0)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask { for _ in 0..<1000 { counter.withLock { $0 += 1 } } }
            }
        }
        #expect(counter.withLock { $0 } == 8000)
    }

    @Test("an error thrown inside goes out with its type and leaves the lock free")
    func throwing() {
        let value = Locked("a")
        func change() throws(PlatformError) {
            try value.withLock { (state) throws(PlatformError) in
                state = "b"
                throw PlatformError(.malformed, "no", hint: "none")
            }
        }
        #expect(throws: PlatformError(.malformed, "", hint: "")) { try change() }
        #expect(value.withLock { $0 } == "b")
    }
}
