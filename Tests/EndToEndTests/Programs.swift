import AgentClient
import Foundation
import SoftHSMSupport

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
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.environment = environment.merging(["PATH": "/usr/bin:/bin"]) { given, _ in given }
        let files = try (0..<3).map { _ in try TemporaryFile() }
        try input.write(toFile: files[0].path, atomically: false, encoding: .utf8)
        let handles = [
            try FileHandle(forReadingFrom: URL(fileURLWithPath: files[0].path)),
            try FileHandle(forWritingTo: URL(fileURLWithPath: files[1].path)),
            try FileHandle(forWritingTo: URL(fileURLWithPath: files[2].path)),
        ]
        // Not left to the last reference: it stays with the process object for ever, and there are many runs.
        defer { for handle in handles { try? handle.close() } }
        process.standardInput = handles[0]
        process.standardOutput = handles[1]
        process.standardError = handles[2]
        await withCheckedContinuation { continuation in
            process.terminationHandler = { _ in continuation.resume() }
            do { try process.run() } catch { fatalError("\(path) cannot be run: \(error)") }
        }
        return Outcome(
            status: process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus,
            output: try files[1].text, errors: try files[2].text)
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
    let process = Process()
    let log: String

    convenience init(_ name: String, configuration: String, log: String, environment: [String: String] = [:]) throws {
        try self.init(
            at: "\(Programs.directory)/\(name)", ["serve", "--config", configuration], log: log, environment: environment)
    }

    /// Starts a program of the machine.
    init(at path: String, _ arguments: [String], log: String, environment: [String: String] = [:]) throws {
        self.log = log
        if !FileManager.default.fileExists(atPath: log) { try Data().write(to: URL(fileURLWithPath: log)) }
        let output = try FileHandle(forWritingTo: URL(fileURLWithPath: log))
        try output.seekToEnd()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { _, given in given }
        process.standardError = output
        process.standardOutput = output
        process.standardInput = FileHandle.nullDevice
        defer { try? output.close() }
        try process.run()
    }

    var text: String { (try? String(contentsOfFile: log, encoding: .utf8)) ?? "" }

    /// Sends a signal and returns the exit status, negative when a signal ended it.
    @discardableResult
    func end(_ signal: Int32 = SIGTERM) async -> Int32 {
        if process.isRunning { kill(process.processIdentifier, signal) }
        await poll("its end") { !process.isRunning }
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
        return process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus
    }
}

/// Waits until something is so, for two minutes at most, since every test runs at once.
@discardableResult
func poll(_ what: String, _ isSo: () async throws -> Bool) async -> Bool {
    let deadline = ContinuousClock.now + .seconds(120)
    repeat {
        if (try? await isSo()) == true { return true }
        try? await Task.sleep(for: .milliseconds(20))
    } while ContinuousClock.now < deadline
    return false
}
