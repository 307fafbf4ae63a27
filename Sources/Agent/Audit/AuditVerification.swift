import Platform

/// Reads a log from its oldest file to its newest and says what has been done to it, and how much of it is proven.
public struct AuditVerification: Sendable {
    /// Something that is not as the agent wrote it.
    public struct Finding: Hashable, Sendable, CustomStringConvertible {
        public let file: String
        /// From 1 on.
        public let line: Int
        public let message: String

        public var description: String { "\(file):\(line): \(message)" }
    }

    /// Records up to this one are vouched for.
    public struct Proof: Hashable, Sendable {
        public let seq: UInt64
        /// When the head was signed, or the noted record made (RFC 3339).
        public let time: String
        /// Whether it is by the audit key, and not by what was noted elsewhere alone.
        public let isSigned: Bool
    }

    /// What is not proven, although nothing shows that it was changed.
    public struct Doubt: Hashable, Sendable {
        /// What, in one line.
        public let message: String
        /// What to do, in one line.
        public let hint: String
    }

    public enum Verdict: Sendable {
        /// Nothing was changed, and that is vouched for: by the audit key, or by what was noted elsewhere.
        case proven
        /// Nothing shows that it was changed, and nothing vouches for all of it.
        case unproven
        case notIntact
    }

    public private(set) var findings: [Finding] = []
    /// Records read.
    public private(set) var records = 0
    public private(set) var first: UInt64?
    public private(set) var last: UInt64?
    /// When the last record was made (RFC 3339).
    public private(set) var lastTime: String?
    /// When the first record that was read was made (RFC 3339).
    private(set) var firstTime: String?
    /// The same of both, in seconds since 1970.
    private(set) var firstSeconds: Int64?
    private(set) var lastSeconds: Int64?
    /// By number, the hashes of the records that were to be watched for. A log that began anew has several of a number.
    private(set) var watched: [UInt64: Set<[UInt8]>] = [:]
    public private(set) var doubts: [Doubt] = []
    public var proof: Proof? { proofs.latest }

    private let watching: Set<UInt64>
    private var proofs: AuditProofs
    private var before: Place?
    private var highest: Place?
    private var gaps: [Gap] = []
    /// Whether the record before could not be read, so that nothing is known of its hash.
    private var isAfterDamage = false

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

    /// - Parameters:
    ///   - keys: the audit key, and those before it. Without any, and without known heads, nothing is proven: who can write the
    ///     files can write all of them anew.
    ///   - heads: records that were noted elsewhere.
    ///   - interval: seconds between two heads, as the agent was configured.
    public init(publicKeys keys: [AuditPublicKey] = [], expecting heads: [KnownHead] = [], headInterval interval: Int = 3_600) {
        self.init(publicKeys: keys, expecting: heads, headInterval: interval, watching: [])
    }

    /// - Parameter watching: numbers of records whose hashes are of interest.
    init(
        publicKeys keys: [AuditPublicKey], expecting heads: [KnownHead], headInterval interval: Int, watching: Set<UInt64>
    ) {
        self.watching = watching
        proofs = AuditProofs(keys: keys, known: heads, interval: Int64(interval))
    }

    public var verdict: Verdict { findings.isEmpty ? doubts.isEmpty ? .proven : .unproven : .notIntact }

    /// Verifies files, the oldest first.
    ///
    /// - Throws: `PlatformError` for a file that cannot be read.
    public mutating func read(_ paths: [String]) throws {
        for path in paths {
            var number = 0
            do {
                try AuditLines.read(path) { line, isWhole in
                    number += 1
                    if findings.count < Self.mostFindings { take(line, isWhole: isWhole, path, number) }
                }
            } catch let error as PlatformError where error.code == .damaged {
                isAfterDamage = true
                find(path, number + 1, error.message)
            }
        }
        end()
        if let last = paths.last { proofs.end(last: highest?.link.seq).forEach { judge($0, in: last) } }
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
        for finding in proofs.take(record) { find(place.file, place.line, finding) }
        first = min(first ?? record.seq, record.seq)
        if watching.contains(record.seq) { watched[record.seq, default: []].insert(record.hash) }
        if firstTime == nil { (firstTime, firstSeconds) = (record.time, record.seconds) }
        (lastTime, lastSeconds) = (record.time, record.seconds)
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

    private mutating func judge(_ end: AuditProofs.End, in last: String) {
        switch end {
        case .doubt(let doubt): doubts.append(doubt)
        case .missing(let message): find(before?.file ?? last, before?.line ?? 1, message)
        }
    }

    private mutating func find(_ file: String, _ line: Int, _ message: String) {
        findings.append(Finding(file: file, line: line, message: message))
    }
}
