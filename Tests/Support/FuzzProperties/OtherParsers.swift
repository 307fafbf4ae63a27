import Foundation
import Glibc
import Platform
import ProcessSupport

/// JSON parsers of other languages, each a process that answers a line of base64 with a line of what it reads.
///
/// `Fuzz/Parsers` has them; those that are not on this machine, or not built, are left out.
final class OtherParsers: Sendable {
    private let directory: String
    /// Nil before the first question.
    private let running = Locked<[OtherParser]?>(nil)

    init(directory: String) {
        self.directory = directory
    }

    /// What each parser makes of a text, by the name of the way it is read.
    func read(_ text: [UInt8]) throws(Violation) -> [(view: String, reading: String)] {
        do {
            return try running.withLock { running in
                let parsers = try running ?? start()
                running = parsers
                // All at once, so that they work beside each other.
                for parser in parsers { try parser.ask(text) }
                return try parsers.flatMap { try $0.answer() }
            }
        } catch let violation as Violation {
            throw violation
        } catch {
            throw Violation("the parsers cannot be asked: \(error)")
        }
    }

    private func start() throws -> [OtherParser] {
        let parsers = try ["python", "node", "go", "c", "java"].compactMap { try OtherParser($0, directory: directory) }
        // Python is on every machine that this is built on; without any, nothing would be compared.
        guard !parsers.isEmpty else { throw Violation("there is no parser in \(directory)") }
        return parsers
    }
}

private final class OtherParser {
    let name: String
    private let process: ChildProcess
    private let questions: FileHandle
    private let answers: FileHandle
    private var unread: [UInt8] = []

    /// Nil when it is not on this machine.
    init?(_ name: String, directory: String) throws {
        self.name = name
        let paths = try ["questions", "answers"].map { try Self.fifo("privyseal-\(name)-\($0)-\(UUID().uuidString)") }
        defer { for path in paths { unsafe unlink(path) } }
        // Whoever opens one end of a FIFO waits for who has the other; with both ends nobody has to. Keeping both ends of the
        // questions also means that one too many ends no process by SIGPIPE.
        questions = try Self.open(paths[0], O_RDWR)
        let both = try Self.open(paths[1], O_RDWR)
        process = try ChildProcess(
            directory + "/run", [name], environment: ["PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"],
            input: paths[0], output: paths[1])
        answers = try Self.open(paths[1], O_RDONLY)
        try both.close()
        guard try line() == "ready" else { return nil }
    }

    private static func fifo(_ name: String) throws -> String {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent(name).path
        guard unsafe mkfifo(path, 0o600) == 0 else { throw Violation("there is no FIFO to be had at \(path)") }
        return path
    }

    private static func open(_ path: String, _ flags: Int32) throws -> FileHandle {
        let descriptor = unsafe Glibc.open(path, flags | O_CLOEXEC)
        guard descriptor >= 0 else { throw Violation("\(path) cannot be opened") }
        return FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }

    func ask(_ text: [UInt8]) throws {
        guard process.isRunning else { throw Violation("\(name) has ended") }
        let question = Array((Data(text).base64EncodedString() + "\n").utf8)
        var written = 0
        while written < question.count {
            let rest = question[written...]
            let count = unsafe rest.withUnsafeBytes { unsafe write(questions.fileDescriptor, $0.baseAddress, $0.count) }
            guard count >= 0 || errno == EINTR else { throw Violation("\(name) cannot be asked: \(errno)") }
            written += max(count, 0)
        }
    }

    func answer() throws -> [(view: String, reading: String)] {
        guard let line = try line() else { throw Violation("\(name) has ended") }
        return line.split(separator: "\t").map { view in
            let parts = view.split(separator: ":", maxSplits: 1)
            return ("\(name) \(parts[0])", String(parts[1]))
        }
    }

    /// Nil once the process has ended.
    private func line() throws -> String? {
        while true {
            if let end = unread.firstIndex(of: UInt8(ascii: "\n")) {
                defer { unread.removeFirst(end + 1) }
                return String(decoding: unread[..<end], as: UTF8.self)
            }
            // Not by FileHandle, which a signal of the fuzzer's would end together with the process.
            var more = [UInt8](repeating: 0, count: 65_536)
            let count = unsafe more.withUnsafeMutableBytes { unsafe read(answers.fileDescriptor, $0.baseAddress, $0.count) }
            guard count >= 0 || errno == EINTR else { throw Violation("\(name) cannot be heard: \(errno)") }
            guard count != 0 else { return nil }
            unread += more.prefix(max(count, 0))
        }
    }
}
