import AgentProtocol
import Crypto
import Foundation

/// One record of the chain: its number, and the SHA-256 of its line without the line feed.
struct AuditLink: Hashable, Sendable {
    let seq: UInt64
    let hash: [UInt8]

    var hashText: String {
        var text: [UInt8] = []
        text.append(hexadecimal: hash)
        return String(decoding: text, as: UTF8.self)
    }
}

/// Numbers records and ties each to the one before.
struct AuditChain: Sendable {
    /// The last record; nil before the first.
    private(set) var last: AuditLink?
    private var moment = MomentText()

    /// What the first record of all names as the one before it.
    static let origin = [UInt8](repeating: 0, count: 32)

    /// Bytes of a line beside what the record itself says, about: its number, time and hash.
    static let overhead = 128

    init(after last: AuditLink?) {
        self.last = last
    }

    /// Appends the next record's line, its line feed included.
    mutating func append(_ text: AuditText, atMilliseconds time: Int64, to buffer: inout [UInt8]) {
        let start = buffer.count
        let seq = last.map { $0.seq + 1 } ?? 0
        buffer += "{\"seq\":".utf8
        buffer.append(decimal: Int64(seq))
        buffer += ",\"time\":\"".utf8
        buffer += moment.text(of: time)
        buffer += "\",\"prev\":\"".utf8
        buffer.append(hexadecimal: last?.hash ?? Self.origin)
        buffer.append(UInt8(ascii: "\""))
        buffer += text.bytes
        last = AuditLink(seq: seq, hash: Self.hash(buffer[start...]))
        buffer.append(UInt8(ascii: "\n"))
    }

    static func hash(_ line: ArraySlice<UInt8>) -> [UInt8] {
        Array(SHA256.hash(data: line))
    }
}

/// A moment as a record shows it: RFC 3339 with milliseconds. The text of the second is kept, since many records share it.
private struct MomentText: Sendable {
    private var second = Int64.min
    private var prefix: [UInt8] = []

    mutating func text(of milliseconds: Int64) -> [UInt8] {
        let total = max(milliseconds, 0)
        if total / 1_000 != second {
            second = total / 1_000
            prefix = Array(WireTime(seconds: second).text.utf8.dropLast()) + [UInt8(ascii: ".")]
        }
        let zero = UInt8(ascii: "0")
        let fraction = total % 1_000
        return prefix + [
            zero + UInt8(fraction / 100), zero + UInt8(fraction / 10 % 10), zero + UInt8(fraction % 10), UInt8(ascii: "Z"),
        ]
    }
}
