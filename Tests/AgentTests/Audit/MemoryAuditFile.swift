import Platform

@testable import Agent

/// A file of the audit log that is nowhere but in memory, and has as much room as the test gives it.
final class MemoryAuditFile: AuditFile {
    private struct State {
        var bytes: [UInt8] = []
        var room = Int.max
        var writes = 0
        var isUnlocked = false
    }

    let identity: String
    private let state = Locked(State())

    init(_ identity: String = "memory") {
        self.identity = identity
    }

    /// Bytes that still fit.
    func setRoom(_ room: Int) { state.withLock { $0.room = room } }

    /// How often it was written to.
    var writes: Int { state.withLock { $0.writes } }

    var isUnlocked: Bool { state.withLock { $0.isUnlocked } }

    var lines: [String] {
        state.withLock { String(decoding: $0.bytes, as: UTF8.self) }.split(separator: "\n").map(String.init)
    }

    func hasName() throws(PlatformError) -> Bool { true }

    func write(_ bytes: [UInt8], from offset: Int) throws(PlatformError) -> Int {
        let written = state.withLock { state -> Int? in
            state.writes += 1
            let count = bytes.count - offset
            guard state.room >= count else { return nil }
            state.bytes += bytes[offset...]
            return count
        }
        guard let written else { throw PlatformError(.systemCall, "write: No space left on device", hint: "make room") }
        return written
    }

    func size() throws(PlatformError) -> Int { state.withLock { $0.bytes.count } }
    func truncate(to size: Int) throws(PlatformError) { state.withLock { $0.bytes.removeSubrange(size...) } }
    func synchronize() throws(PlatformError) {}
    func read(at offset: Int, count: Int) throws(PlatformError) -> [UInt8] {
        state.withLock { Array($0.bytes[offset..<min(offset + count, $0.bytes.count)]) }
    }
    func unlock() { state.withLock { $0.isUnlocked = true } }
}
