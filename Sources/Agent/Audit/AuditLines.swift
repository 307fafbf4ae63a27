import Foundation
import Platform

/// Reads a file of the log, of any size, line by line: as it is, or compressed by gzip as logrotate does it.
enum AuditLines {
    private static let step = 1 << 18
    /// No record is longer. Of a line that is, so much is handed on.
    static let longest = 1 << 20

    /// Programs that compress otherwise, by what their files begin with.
    private static let others: [(name: String, magic: [UInt8])] = [
        ("xz", [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00]), ("zstd", [0x28, 0xB5, 0x2F, 0xFD]),
        ("bzip2", Array("BZh".utf8)), ("lz4", [0x04, 0x22, 0x4D, 0x18]),
    ]

    /// - Parameter body: called with each line without its line feed, and whether it had one.
    /// - Throws: `PlatformError`, with `.damaged` after the last line that could be read when the compressed data is cut short or
    ///   changed; what `body` throws.
    static func read(_ path: String, _ body: (ArraySlice<UInt8>, Bool) throws -> Void) throws {
        guard let handle = FileHandle(forReadingAtPath: path) else {
            throw PlatformError(.missing, "\(path) cannot be opened", hint: "check the path, and whether you may read the file")
        }
        defer { try? handle.close() }
        var splitter = LineSplitter()
        guard let beginning = try handle.read(upToCount: step), !beginning.isEmpty else { return }
        if let other = others.first(where: { beginning.starts(with: $0.magic) }) {
            throw PlatformError(
                .malformed, "\(path) is compressed by \(other.name)",
                hint: "decompress it to a file first; plain files and those of gzip are read as they are")
        }
        if GzipDecoder.isGzip(beginning) {
            try decompress(beginning, handle) { try splitter.add($0, body) }
        } else {
            try splitter.add(Array(beginning)[...], body)
            while let data = try handle.read(upToCount: step), !data.isEmpty { try splitter.add(Array(data)[...], body) }
        }
        try splitter.end(body)
    }

    private static func decompress(
        _ beginning: Data, _ handle: FileHandle, _ body: (ArraySlice<UInt8>) throws -> Void
    ) throws {
        var decoder = try GzipDecoder()
        try decoder.decode(Array(beginning), body)
        while let data = try handle.read(upToCount: step), !data.isEmpty { try decoder.decode(Array(data), body) }
        guard decoder.isWhole else {
            throw PlatformError(
                .damaged, "the gzip file is cut short: its compressed data has no end", hint: "take another copy of the file")
        }
    }
}

/// Takes bytes apart into lines.
private struct LineSplitter {
    private var rest: [UInt8] = []
    /// Whether `rest` is the beginning of a line that is longer than any record, and the remainder is passed over.
    private var isTooLong = false

    mutating func add(_ bytes: ArraySlice<UInt8>, _ body: (ArraySlice<UInt8>, Bool) throws -> Void) throws {
        var bytes = bytes
        while let end = bytes.firstIndex(of: UInt8(ascii: "\n")) {
            if rest.isEmpty {
                try body(bytes[..<end], true)
            } else {
                keep(bytes[..<end])
                try body(rest[...], true)
                rest = []
                isTooLong = false
            }
            bytes = bytes[(end + 1)...]
        }
        keep(bytes)
    }

    private mutating func keep(_ bytes: ArraySlice<UInt8>) {
        guard !isTooLong else { return }
        rest += bytes.prefix(AuditLines.longest - rest.count)
        isTooLong = rest.count >= AuditLines.longest
    }

    /// - Parameter body: called when the last line has no end.
    mutating func end(_ body: (ArraySlice<UInt8>, Bool) throws -> Void) throws {
        if !rest.isEmpty { try body(rest[...], false) }
        rest = []
    }
}
