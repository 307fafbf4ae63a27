import Foundation
import Platform

/// How a file of the log ends.
struct AuditTail: Sendable {
    /// The last record; nil in an empty file.
    let last: AuditLink?
    /// Bytes after the last line feed: half a record, left by a loss of power.
    let remains: Int

    /// What every record begins with.
    private static let beginning = Array(#"{"seq":"#.utf8)
    private static let step = 65_536
    /// No record is longer.
    private static let longestLine = 1 << 20

    /// - Throws: `PlatformError`; `AuditError` when the last line is no record.
    init(of file: any AuditFile, at path: String) throws {
        let size = try file.size()
        // Of half a record, as much may be left as the file system had made room for.
        guard let end = try Self.afterLineFeed(before: size, of: file, limit: .max) else {
            let beginning = try file.read(at: 0, count: min(size, Self.beginning.count))
            guard Self.beginning.starts(with: beginning) || beginning.allSatisfy({ $0 == 0 }) else {
                throw AuditError(
                    .damaged, "\(path) is no audit log", hint: "check the path; it must name a file of the audit log's own")
            }
            last = nil
            remains = size
            return
        }
        remains = size - end
        let start = try Self.afterLineFeed(before: end - 1, of: file, limit: Self.longestLine) ?? 0
        let line = end - start <= Self.longestLine ? try file.read(at: start, count: end - start - 1) : []
        guard let record = AuditLine(line[...]) else {
            throw AuditError(
                .damaged, "the last line of \(path) is no record of an audit log",
                hint: "examine the file with \"privyseald audit verify\", then move it aside: the log goes on in a new one")
        }
        last = record.link
    }

    /// Where the line begins that has the byte before `end` in it; nil when no line feed is before it.
    private static func afterLineFeed(before end: Int, of file: any AuditFile, limit: Int) throws -> Int? {
        var upper = end
        while upper > 0, end - upper < limit {
            let lower = max(upper - step, 0)
            let bytes = try file.read(at: lower, count: upper - lower)
            if let index = bytes.lastIndex(of: UInt8(ascii: "\n")) { return lower + index + 1 }
            upper = lower
        }
        return upper == 0 ? nil : upper
    }

    /// The last record among the files that a rotation has left beside `path`: `audit.log.1`, `audit.log-20261124`, and of those that
    /// it has compressed the newest, `audit.log.2.gz`.
    static func ofRotated(_ path: String) -> AuditLink? {
        let url = URL(fileURLWithPath: path)
        let directory = url.deletingLastPathComponent().path
        let name = url.lastPathComponent
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? [])
            .filter { $0.hasPrefix(name + ".") || $0.hasPrefix(name + "-") }
        let links = names.compactMap { rotated -> AuditLink? in
            let path = directory + "/" + rotated
            guard !rotated.hasSuffix(".gz"), let file = try? AppendedFile(path: path) else { return nil }
            return try? AuditTail(of: file, at: path).last
        }
        // To the end of a compressed file there is no way but through it. gzip keeps the time of the file it compresses.
        let compressed = names.filter { $0.hasSuffix(".gz") }.map { directory + "/" + $0 }
        let newest = compressed.max { (changed($0) ?? .distantPast) < (changed($1) ?? .distantPast) }
        let ofNewest = newest.flatMap { try? KnownHead.last(in: $0).link }
        return (links + [ofNewest].compactMap(\.self)).max { $0.seq < $1.seq }
    }

    private static func changed(_ path: String) -> Date? {
        (try? FileManager.default.attributesOfItem(atPath: path))?[.modificationDate] as? Date
    }
}
