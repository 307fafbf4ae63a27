/// A record as an operator noted it away from the log: its number and the SHA-256 of its line, `4711:9f86…`. With it one sees whether
/// the log up to that record is still the one it was.
public struct KnownHead: Hashable, Sendable, CustomStringConvertible {
    let link: AuditLink
    /// Of whose log it is, where that was noted: `a=4711:9f86…`.
    let agent: String?

    init(_ link: AuditLink, agent: String? = nil) {
        self.link = link
        self.agent = agent
    }

    /// `nil` for what is not a number, a colon and 64 lower-case hexadecimal digits, with or without an agent's id and `=` before.
    public init?(_ text: String) {
        let ends = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard let text = ends.last, ends.count == 1 || !ends[0].isEmpty else { return nil }
        agent = ends.count == 2 ? String(ends[0]) : nil
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty,
            parts[0].utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let seq = UInt64(parts[0]), seq < UInt64(Int64.max), let hash = [UInt8](hexadecimal: String(parts[1])),
            hash.count == AuditChain.origin.count
        else { return nil }
        link = AuditLink(seq: seq, hash: hash)
    }

    public var seq: UInt64 { link.seq }

    public var description: String { (agent.map { "\($0)=" } ?? "") + "\(link.seq):\(link.hashText)" }

    /// The last record of a file, compressed or not.
    ///
    /// - Throws: `AuditError` when the file ends in no record; `PlatformError` when it cannot be read.
    public static func last(in path: String) throws -> KnownHead {
        var last: [UInt8] = []
        // Of a running log the last line may be half a record.
        try AuditLines.read(path) { line, isWhole in
            if isWhole { last = Array(line) }
        }
        guard let link = AuditLine(last[...])?.link else {
            throw AuditError(
                .damaged, last.isEmpty ? "\(path) has no record" : "the last line of \(path) is no record of an audit log",
                hint: "examine the file with \"privyseald audit verify\"")
        }
        return KnownHead(link)
    }
}
