import EtcdStore
import Foundation

extension FuzzTarget {
    /// The first byte sets the limit of a line, each further one at the front of a piece how long the piece is.
    static let watch = FuzzTarget("watch", "lines of a watch of etcd, and what they say", longestInput: 4_096) {
        input throws(Violation) in
        guard let first = input.first else { return }
        let limit = Int(first) * 8
        var framer = WatchFramer(limit: limit)
        var (lines, stream): ([[UInt8]], [UInt8]) = ([], [])
        var rest = input.dropFirst()
        var isTooLong = false
        while let length = rest.popFirst(), !isTooLong {
            let piece = Array(rest.prefix(Int(length)))
            rest = rest.dropFirst(piece.count)
            stream += piece
            do throws(WatchFramer.TooLong) { lines += try framer.feed(piece) } catch { isTooLong = true }
        }
        let expected = Self.lines(of: stream, limit: limit)
        try require(isTooLong == expected.isTooLong, "whether a line is too long depends on how the bytes came in")
        // Of the piece in which that showed nothing is handed over.
        try require(expected.lines.starts(with: lines), "the lines depend on how the bytes came in")
        try require(isTooLong || lines == expected.lines, "lines are missing")
        for line in lines { try read(line) }
    }

    /// An answer as a whole.
    static let etcd = FuzzTarget("etcd", "answers of etcd's JSON gateway", longestInput: 4_096) { input throws(Violation) in
        try read(input)
    }

    /// What a stream holds, seen at once.
    private static func lines(of stream: [UInt8], limit: Int) -> (lines: [[UInt8]], isTooLong: Bool) {
        var parts = stream.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map(Array.init)
        let open = parts.popLast() ?? []
        var lines: [[UInt8]] = []
        for var part in parts {
            if part.last == UInt8(ascii: "\r") { part.removeLast() }
            guard part.count <= limit else { return (lines, true) }
            if !part.isEmpty { lines.append(part) }
        }
        return (lines, open.count > limit)
    }

    private static func read(_ bytes: [UInt8]) throws(Violation) {
        if let page = WireReading.page(bytes) {
            try require(WireReading.page(answer(page, quoted: true)) == page, "integers in quotes are others")
            try require(WireReading.page(answer(page, quoted: false)) == page, "integers without quotes are others")
        }
        if let outcome = WireReading.outcome(bytes), outcome.succeeded {
            // Absent means false, and only what says so is true.
            try require(contains("succeeded", in: bytes), "a transaction has taken effect without saying so")
        }
        if let fault = WireReading.fault(bytes) {
            try require(!fault.text.contains(where: \.isNewline), "the text of a fault has more than one line")
        }
        if let message = WireReading.message(bytes) {
            let page = EtcdPage(values: message.events.map(\.value), hasMore: false, count: 0)
            try require(WireReading.page(answer(page, quoted: true)) == page, "an event's key reads otherwise elsewhere")
        }
    }

    /// Whether a text can be there, escapes included.
    private static func contains(_ text: String, in bytes: [UInt8]) -> Bool {
        String(decoding: bytes, as: UTF8.self).contains(text) || bytes.contains(UInt8(ascii: "\\"))
            || bytes.contains(0)
    }

    /// A page as the gateway writes it.
    private static func answer(_ page: EtcdPage, quoted: Bool) -> [UInt8] {
        func number(_ value: Int64) -> String { quoted ? "\"\(value)\"" : "\(value)" }
        let values = page.values.map { value in
            #"{"key":"\#(Data(value.key).base64EncodedString())","value":"\#(Data(value.value).base64EncodedString())","#
                + #""create_revision":\#(number(value.created)),"mod_revision":\#(number(value.modified)),"#
                + #""lease":\#(number(value.lease))}"#
        }
        return Array(
            #"{"kvs":[\#(values.joined(separator: ","))],"more":\#(page.hasMore),"count":\#(number(page.count))}"#.utf8)
    }
}
