import AgentClient
import Foundation
import ProcessSupport
import SoftHSMSupport
import Testing

/// The built programs, next to the test bundle.
enum Programs {
    static let directory =
        ProcessInfo.processInfo.environment["PRIVYSEAL_BIN_DIR"]
        ?? URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent().path

    /// What a program that has ended left behind.
    struct Outcome {
        let status: Int32
        let output: String
        let errors: String

        /// The output of a command that must succeed. What throws records no issue: who asks again may be answered then.
        func output(of command: [String]) throws -> String {
            guard status == 0 else { throw Failed(description: "\(command.joined(separator: " ")): \(errors)") }
            return output
        }

        struct Failed: Error, CustomStringConvertible { let description: String }
    }

    /// Runs one of them to its end.
    static func run(
        _ name: String, _ arguments: [String], environment: [String: String] = [:], input: String = ""
    ) async throws -> Outcome {
        try await run(at: "\(directory)/\(name)", arguments, environment: environment, input: input)
    }

    /// Runs a program of the machine to its end.
    static func run(
        at path: String, _ arguments: [String], environment: [String: String] = [:], input: String = ""
    ) async throws -> Outcome {
        let files = try (0..<3).map { _ in try TemporaryFile() }
        try input.write(toFile: files[0].path, atomically: false, encoding: .utf8)
        let process = try ChildProcess(
            path, arguments, environment: environment.merging(["PATH": "/usr/bin:/bin"]) { given, _ in given },
            input: files[0].path, output: files[1].path, errors: files[2].path)
        return Outcome(status: await process.status, output: try files[1].text, errors: try files[2].text)
    }
}

/// A file that goes with the value.
final class TemporaryFile {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("privyseal-\(UUID().uuidString)").path

    init() throws {
        try Data().write(to: URL(fileURLWithPath: path))
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    var text: String {
        get throws { try String(contentsOfFile: path, encoding: .utf8) }
    }
}

/// A program that goes on until it is ended.
final class Daemon {
    let process: ChildProcess
    let log: String

    convenience init(_ name: String, configuration: String, log: String, environment: [String: String] = [:]) throws {
        try self.init(
            at: "\(Programs.directory)/\(name)", ["serve", "--config", configuration], log: log, environment: environment)
    }

    /// Starts a program of the machine.
    init(at path: String, _ arguments: [String], log: String, environment: [String: String] = [:]) throws {
        self.log = log
        if !FileManager.default.fileExists(atPath: log) { try Data().write(to: URL(fileURLWithPath: log)) }
        process = try ChildProcess(
            path, arguments, environment: ProcessInfo.processInfo.environment.merging(environment) { _, given in given },
            output: log, errors: log)
    }

    var text: String { (try? String(contentsOfFile: log, encoding: .utf8)) ?? "" }

    /// Sends a signal and returns the exit status, negative when a signal ended it.
    @discardableResult
    func end(_ signal: Int32 = SIGTERM) async -> Int32 {
        if process.isRunning { kill(process.processIdentifier, signal) }
        await poll("its end") { !process.isRunning }
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        return await process.status
    }
}

/// Waits until something is so, for two minutes at most, since every test runs at once.
@discardableResult
func poll(_ what: String, _ isSo: () async throws -> Bool) async -> Bool {
    let deadline = ContinuousClock.now + .seconds(120)
    var trouble: (any Error)?
    repeat {
        do {
            if try await isSo() { return true }
            trouble = nil
        } catch {
            trouble = error
        }
        try? await Task.sleep(for: .milliseconds(20))
    } while ContinuousClock.now < deadline
    // What stood in the way at last is what whoever reads of it wants to know.
    if let trouble { Issue.record(trouble, "in vain for \(what)") }
    return false
}
