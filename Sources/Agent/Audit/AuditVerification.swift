import Foundation
import Platform

/// Reads a log from its oldest file to its newest and says what has been done to it.
public struct AuditVerification: Sendable {
    /// Something that is not as the agent wrote it.
    public struct Finding: Hashable, Sendable, CustomStringConvertible {
        public let file: String
        /// From 1 on.
        public let line: Int
        public let message: String

        public var description: String { "\(file):\(line): \(message)" }
    }

    /// Records up to this one are vouched for by the audit key.
    public struct Proof: Hashable, Sendable {
        public let seq: UInt64
        /// When the head was signed (RFC 3339).
        public let time: String
    }

    public private(set) var findings: [Finding] = []
    /// Records read.
    public private(set) var records = 0
    public private(set) var first: UInt64?
    public private(set) var last: UInt64?
    /// When the last record was made (RFC 3339).
    public private(set) var lastTime: String?
    public private(set) var proof: Proof?
    /// Heads that name a record which was not given.
    public private(set) var unverifiedHeads = 0

    private let keys: [AuditPublicKey]
    private var before: Place?
    private var highest: Place?
    private var gaps: [Gap] = []
    /// Whether the record before could not be read, so that nothing is known of its hash.
    private var isAfterDamage = false
    private var window = LinkWindow()

    private struct Place {
        let link: AuditLink
        let file: String
        let line: Int
    }

    /// Records that are missing, unless they come later.
    private struct Gap {
        var missing: Set<UInt64>
        let range: ClosedRange<UInt64>
        let place: Place
        let file: String
        let line: Int
    }

    /// Findings beyond which no more are looked for.
    public static let mostFindings = 1_000

    /// - Parameter keys: the audit key, and those before it. Without any, nothing is proven: who can write the files can write
    ///   all of them anew.
    public init(publicKeys keys: [AuditPublicKey] = []) {
        self.keys = keys
    }

    /// Whether nothing has been found that is not as it should be.
    public var isIntact: Bool { findings.isEmpty && (keys.isEmpty || proof != nil) }

    /// Verifies files, the oldest first.
    ///
    /// - Throws: `PlatformError` for a file that cannot be read.
    public mutating func read(_ paths: [String]) throws {
        for path in paths {
            var number = 0
            try LineReader.lines(of: path) { line, isWhole in
                number += 1
                if findings.count < Self.mostFindings { take(line, isWhole: isWhole, path, number) }
            }
        }
        end()
    }

    /// Takes the next line, without its line feed.
    private mutating func take(_ line: ArraySlice<UInt8>, isWhole: Bool, _ file: String, _ number: Int) {
        guard isWhole else {
            return find(file, number, "the record is cut short: the line has no end")
        }
        guard let record = AuditLine(line) else {
            isAfterDamage = true
            return find(file, number, "this is no record of an audit log; it was changed or put there")
        }
        records += 1
        let place = Place(link: record.link, file: file, line: number)
        judge(record, place)
        window.add(record.link)
        if case .head(let head) = record.kind { judge(head, record, place) }
        first = min(first ?? record.seq, record.seq)
        lastTime = record.time
        before = place
        if highest.map({ $0.link.seq < record.seq }) ?? true { highest = place }
        last = highest?.link.seq
        isAfterDamage = false
    }

    private mutating func judge(_ record: AuditLine, _ place: Place) {
        let (file, line, seq) = (place.file, place.line, record.seq)
        guard let before, let highest else {
            if seq == 0, record.prev != AuditChain.origin {
                find(file, line, "record 0 names a record before it, and there can be none")
            }
            return
        }
        let expected = highest.link.seq + 1
        if seq > expected, !(isAfterDamage && seq == expected + 1) {
            gaps.append(
                Gap(
                    missing: seq - expected <= 100_000 ? Set(expected..<seq) : [], range: expected...(seq - 1), place: highest,
                    file: file, line: line))
        } else if seq < expected {
            if seq == 0, case .start = record.kind {
                find(file, line, "the log begins anew here: record \(highest.link.seq) was the last one before")
                self.highest = nil
                return
            }
            let wasMissing = gaps.indices.last { gaps[$0].missing.contains(seq) }
            if let wasMissing { gaps[wasMissing].missing.remove(seq) }
            find(
                file, line,
                wasMissing == nil
                    ? "record \(seq) is there a second time, or was put there"
                    : "record \(seq) is out of order: it stands after record \(before.link.seq)")
        }
        guard !isAfterDamage, before.link.seq + 1 == seq, record.prev != before.link.hash else { return }
        find(
            before.file, before.line,
            "record \(before.link.seq) was changed: record \(seq) (\(file):\(line)) names another SHA-256 for it")
    }

    private mutating func judge(_ head: SignedHead, _ record: AuditLine, _ place: Place) {
        guard !keys.isEmpty else { return }
        guard keys.contains(where: { $0.kid == head.kid && $0.hasSigned(head) }) else {
            return find(
                place.file, place.line,
                keys.contains { $0.kid == head.kid }
                    ? "the signature of head record \(record.seq) is not valid"
                    : "head record \(record.seq) is signed by another key, \(head.kid)")
        }
        switch window.hash(of: head.link.seq) {
        case head.link.hash: proof = Proof(seq: head.link.seq, time: record.time)
        case nil: unverifiedHeads += 1
        default:
            find(
                place.file, place.line,
                "record \(head.link.seq) is not the one that head record \(record.seq) was signed for: the log was written anew")
        }
    }

    private mutating func end() {
        for gap in gaps {
            let isAll = gap.missing.isEmpty && gap.range.count > 100_000
            guard isAll || !gap.missing.isEmpty else { continue }
            let missing = isAll ? "\(gap.range.lowerBound) to \(gap.range.upperBound)" : Self.list(gap.missing.sorted())
            find(
                gap.file, gap.line,
                "missing before this line, after record \(gap.place.link.seq) (\(gap.place.file):\(gap.place.line)): "
                    + "record \(missing)")
        }
        gaps = []
    }

    private static func list(_ numbers: [UInt64]) -> String {
        guard let first = numbers.first, let last = numbers.last else { return "" }
        if first == last { return "\(first)" }
        return last - first + 1 == UInt64(numbers.count)
            ? "\(first) to \(last)" : numbers.prefix(10).map { "\($0)" }.joined(separator: ", ")
    }

    private mutating func find(_ file: String, _ line: Int, _ message: String) {
        findings.append(Finding(file: file, line: line, message: message))
    }
}

/// The hashes of the last records, for heads to be compared with.
private struct LinkWindow: Sendable {
    private var links: [AuditLink?] = []

    /// A head is written long before so many records have come after the one it is for.
    static let size = 1 << 17

    mutating func add(_ link: AuditLink) {
        let place = Int(link.seq % UInt64(Self.size))
        while links.count <= place { links.append(nil) }
        links[place] = link
    }

    func hash(of seq: UInt64) -> [UInt8]? {
        let place = Int(seq % UInt64(Self.size))
        guard place < links.count, let link = links[place], link.seq == seq else { return nil }
        return link.hash
    }
}

/// Reads a file of any size line by line.
enum LineReader {
    private static let step = 1 << 18

    /// - Parameter body: called with each line without its line feed, and whether it had one.
    /// - Throws: `PlatformError`.
    static func lines(of path: String, _ body: (ArraySlice<UInt8>, Bool) throws -> Void) throws {
        guard let handle = FileHandle(forReadingAtPath: path) else {
            throw PlatformError(.missing, "\(path) cannot be opened", hint: "check the path, and whether you may read the file")
        }
        defer { try? handle.close() }
        var rest: [UInt8] = []
        while let data = try handle.read(upToCount: step), !data.isEmpty {
            var bytes = rest[...]
            bytes += data
            while let end = bytes.firstIndex(of: UInt8(ascii: "\n")) {
                try body(bytes[..<end], true)
                bytes = bytes[(end + 1)...]
            }
            rest = Array(bytes)
        }
        if !rest.isEmpty { try body(rest[...], false) }
    }
}
