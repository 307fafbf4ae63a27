import ArgumentParser
import DaemonKit
import Foundation
import Platform

/// `privyseald audit tail`
struct AuditTailCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tail",
        abstract: "Show the records of an audit log, a line each.",
        discussion: """
            Columns: time, number, outcome, caller, method, issuer, and what else the record has. With -f, goes on with what \
            is added, also when the file is rotated.
            """)

    @Argument(help: "The file.")
    var file: String

    @Flag(name: .shortAndLong, help: "Go on with what is added.")
    var follow = false

    @Option(name: [.customShort("n"), .long], help: "How many of the last records to show first.")
    var lines = 20

    func validate() throws {
        guard lines >= 0 else { throw ValidationError("--lines must not be negative") }
    }

    func run() throws {
        do {
            var followed = try FollowedFile(file)
            var shown = try followed.newLines()
            if !follow, let rest = followed.unfinished { shown.append(rest) }
            try Self.show(shown.suffix(lines))
            while follow {
                Thread.sleep(forTimeInterval: 0.25)
                try Self.show(try followed.newLines()[...])
            }
        } catch {
            try StartupFailure(mapping: error).end()
        }
    }

    /// Past the buffer of `print`, so that a pipe gets a record when it is made.
    private static func show(_ lines: ArraySlice<String>) throws {
        guard !lines.isEmpty else { return }
        let text = lines.map { "\(AuditRow($0))\n" }.joined()
        try FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
    }
}

/// A file read as it grows, and after a rotation the one that took its place.
struct FollowedFile {
    private let path: String
    private var handle: FileHandle
    private var identity: String?
    private var rest = Data()

    init(_ path: String) throws {
        self.path = path
        identity = AppendedFile.identity(of: path)
        handle = try Self.opened(path)
    }

    /// A line that has no end yet.
    var unfinished: String? { rest.isEmpty ? nil : String(decoding: rest, as: UTF8.self) }

    /// The whole lines that have come since the last time.
    mutating func newLines() throws -> [String] {
        // Looked at before reading: what is written to the former file afterwards would be missed otherwise.
        let present = AppendedFile.identity(of: path)
        var lines = try added()
        if let present, present != identity {
            lines += try added()
            try? handle.close()
            handle = try Self.opened(path)
            identity = present
            rest = Data()
            lines += try added()
        }
        return lines
    }

    private mutating func added() throws -> [String] {
        let size = try handle.seekToEnd()
        let position = offset > size ? 0 : offset
        if position == 0 { rest = Data() }
        try handle.seek(toOffset: position)
        rest += try handle.readToEnd() ?? Data()
        offset = try handle.offset()
        var lines: [String] = []
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            lines.append(String(decoding: rest[rest.startIndex..<end], as: UTF8.self))
            rest = rest[(end + 1)...]
        }
        rest = Data(rest)
        return lines
    }

    private var offset: UInt64 = 0

    private static func opened(_ path: String) throws -> FileHandle {
        guard let handle = FileHandle(forReadingAtPath: path) else {
            throw PlatformError(.missing, "\(path) cannot be opened", hint: "check the path, and whether you may read the file")
        }
        return handle
    }
}
