import Foundation
import Platform

/// Everything that happened, in the order in which it was written down, which is not that in which it happened.
package final class History: Sendable {
    /// What turns times of documents and JWTs into moments: the wall clock less CLOCK_BOOTTIME, in nanoseconds. The clock that
    /// counts is the one that relying parties have: the machine's, whatever an agent's shows.
    package let wallOffset: Int64

    private struct State {
        var events: [HistoryEvent] = []
        var keySets: [String: Int] = [:]
    }
    private let state = Locked(State())

    package init(wallOffset: Int64) { self.wallOffset = wallOffset }

    package var events: [HistoryEvent] { state.withLock { $0.events } }

    package func add(_ begin: Moment, _ end: Moment, _ what: Happening) {
        state.withLock { $0.events.append(HistoryEvent(begin, end, what)) }
    }

    /// The number of a key set, which is written down the first time.
    package func keySet(_ text: String, at moment: Moment) -> Int {
        state.withLock { state in
            if let id = state.keySets[text] { return id }
            let id = state.keySets.count
            state.keySets[text] = id
            state.events.append(HistoryEvent(moment, moment, .keySet(id: id, text: text)))
            return id
        }
    }

    private struct Head: Codable { let wallOffset: Int64 }

    /// Writes it as lines of JSON, the first of which says how the clocks stood.
    package func write(to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
        var bytes = try encoder.encode(Head(wallOffset: wallOffset)) + [UInt8(ascii: "\n")]
        try Data().write(to: URL(fileURLWithPath: path))
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        for event in events {
            bytes += try encoder.encode(event) + [UInt8(ascii: "\n")]
            guard bytes.count > 1 << 20 else { continue }
            try file.write(contentsOf: bytes)
            bytes = Data()
        }
        try file.write(contentsOf: bytes)
        try file.close()
    }

    package struct Unreadable: Error, CustomStringConvertible {
        package let description: String
    }

    /// Reads what `write` has written.
    package static func read(_ path: String) throws -> History {
        let lines = try Data(contentsOf: URL(fileURLWithPath: path)).split(separator: UInt8(ascii: "\n"))
        guard let first = lines.first else { throw Unreadable(description: "\(path) is empty") }
        let decoder = JSONDecoder()
        let history = History(wallOffset: try decoder.decode(Head.self, from: first).wallOffset)
        for (number, line) in lines.enumerated().dropFirst() {
            do {
                let event = try decoder.decode(HistoryEvent.self, from: line)
                history.state.withLock { $0.events.append(event) }
            } catch {
                throw Unreadable(description: "\(path):\(number + 1): \(error)")
            }
        }
        return history
    }
}
