import Foundation
import PKCS11
import SoftHSMSupport
import Subprocess
import TestSupport
import Testing

@Suite("softhsm/make-token")
struct MakeTokenTests {
    /// The script, found from this file.
    private static let script = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
        .appending(path: "../../../softhsm/make-token").standardizedFileURL.path

    private struct Run {
        let status: TerminationStatus
        let output: String
        let error: String

        /// The lines `NAME=value` of the output.
        var values: [String: String] {
            output.split(separator: "\n").reduce(into: [:]) { values, line in
                let parts = line.split(separator: "=", maxSplits: 1)
                if parts.count == 2 { values[String(parts[0])] = String(parts[1]) }
            }
        }
    }

    private func run(_ program: String, _ arguments: [String], environment: [Environment.Key: String?] = [:]) async throws -> Run
    {
        let result = try await Subprocess.run(
            .name(program), arguments: Arguments(arguments), environment: .inherit.updating(environment),
            output: .string(limit: 1 << 16), error: .string(limit: 1 << 16))
        return Run(
            status: result.terminationStatus, output: result.standardOutput, error: result.standardError)
    }

    /// Runs the script.
    private func make(_ arguments: [String]) async throws -> Run {
        try await run("bash", [Self.script] + arguments)
    }

    /// Calls with the path of a directory that is not there yet.
    private func inDirectory(_ body: (String) async throws -> Void) async throws {
        try await withTemporaryDirectory { try await body($0 + "/token") }
    }

    private func mode(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }

    private func labels(_ configuration: String) async throws -> [String] {
        let slots = try await run(
            "softhsm2-util", ["--show-slots"], environment: ["SOFTHSM2_CONF": configuration])
        return slots.output.split(separator: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
            .filter { $0.hasPrefix("Label:") }
            .map { $0.dropFirst("Label:".count).trimmingCharacters(in: .whitespaces) }
    }

    @Test("a token is made with files for its owner only, and the output says how to find it")
    func made() async throws {
        try await inDirectory { directory in
            let made = try await make(["--dir", directory, "--label", "two words"])
            #expect(made.status == .exited(0))
            #expect(made.values.count == 2)
            #expect(made.values["SOFTHSM2_CONF"]?.hasSuffix("/softhsm2.conf") == true)
            let uri = try TokenURI(try #require(made.values["PRIVYSEAL_TOKEN_URI"]))
            #expect(uri.label == "two words")
            #expect(try await labels(try #require(made.values["SOFTHSM2_CONF"])).contains("two words"))
            #expect(try mode(directory) == 0o700)
            #expect(try mode(directory + "/pin") == 0o600)
            #expect(try mode(directory + "/so-pin") == 0o600)
        }
    }

    @Test("a second run changes nothing and says the same")
    func again() async throws {
        try await inDirectory { directory in
            let first = try await make(["--dir", directory])
            let pin = try Data(contentsOf: URL(fileURLWithPath: directory + "/pin"))
            let second = try await make(["--dir", directory])
            #expect(second.status == .exited(0))
            #expect(second.output == first.output)
            #expect(second.error.isEmpty)
            #expect(try Data(contentsOf: URL(fileURLWithPath: directory + "/pin")) == pin)
            #expect(try await labels(try #require(second.values["SOFTHSM2_CONF"])).filter { $0 == "privyseal" }.count == 1)
        }
    }

    @Test("what cannot be made ends with what and what to do", arguments: ["123", ""])
    func badPIN(pin: String) async throws {
        try await inDirectory { directory in
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: false)
            try Data(pin.utf8).write(to: URL(fileURLWithPath: directory + "/my-pin"))
            let made = try await make(["--dir", directory, "--pin-file", directory + "/my-pin"])
            #expect(made.status == .exited(1))
            #expect(made.output.isEmpty)
            #expect(made.error.split(separator: "\n").map { $0.prefix(6) } == ["error:", "hint: "])
        }
    }

    @Test("wrong usage is its own exit status", arguments: [[], ["--dir"], ["--dir", "x", "--label", ""], ["--what"]])
    func usage(arguments: [String]) async throws {
        let result = try await make(arguments)
        #expect(result.status == .exited(2))
        #expect(result.error.hasPrefix("error: "))
    }

    @Test("a child process with a test token's environment sees that token in the machine's own SoftHSM")
    func environment() async throws {
        try await SoftHSMToken.with(label: "seen from outside") { token in
            let labels = try await labels(try #require(token.environment["SOFTHSM2_CONF"]))
            #expect(labels.contains("seen from outside"))
        }
    }
}
