import Foundation
import Subprocess
import Testing

/// The README's commands, run as they stand there.
@Suite("The README", .serialized)
struct ReadmeTests {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    /// The shell blocks below a heading.
    private static func commands(below heading: String) throws -> [String] {
        let text = try String(contentsOfFile: root + "/README.md", encoding: .utf8)
        let section = try #require(text.components(separatedBy: "\n## ").first { $0.hasPrefix(heading) })
        return section.components(separatedBy: "```sh\n").dropFirst().compactMap { $0.components(separatedBy: "```").first }
    }

    private static func bash(_ script: String, in directory: String) async throws -> (succeeded: Bool, output: String) {
        let result = try await run(
            .name("bash"), arguments: ["-euo", "pipefail", "-c", "cd '\(directory)' && exec 2>&1\n" + script],
            output: .string(limit: 1 << 20))
        return (result.terminationStatus.isSuccess, result.standardOutput)
    }

    @Test("every command of the tour works, in the order it is read")
    func tour() async throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("tour-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let blocks = try Self.commands(below: "A tour in five minutes")
        #expect(blocks.count >= 6)
        // What is built is what is tested, and this tour is kept apart from the reader's own.
        let script = blocks.joined(separator: "\n")
            .replacing(
                "scripts/quickstart --keep", with: "'\(Self.root)/scripts/quickstart' --keep --no-build --dir '\(directory)/p'"
            )
            .replacing("$PWD/.build/debug", with: "\(Self.root)/.build/debug")
            .replacing("$PWD/.privyseal", with: "\(directory)/p")
            .replacing(".privyseal/", with: "\(directory)/p/")
        let (succeeded, output) = try await Self.bash(script, in: directory)
        #expect(succeeded, "\(output)")
        #expect(output.contains("4. rotated again"), "\(output)")
        #expect(output.contains("quickstart: done"), "\(output)")
        for name in ["privyseald", "privyseal-issuer"] { await Self.end(directory + "/p/\(name).pid") }
    }

    @Test("the quickstart can be run again, and leaves no process behind")
    func quickstartTwice() async throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("twice-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        for _ in 1...2 {
            let (succeeded, output) = try await Self.bash(
                "'\(Self.root)/scripts/quickstart' --no-build --dir '\(directory)'", in: Self.root)
            #expect(succeeded, "\(output)")
            #expect(output.hasSuffix("every step worked, and both processes have been stopped\n"), "\(output)")
        }
        let pid = try String(contentsOfFile: directory + "/privyseald.pid", encoding: .utf8)
            .trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(!FileManager.default.fileExists(atPath: "/proc/\(pid)"))
    }

    @Test("the fleet issues through the loss of an agent and of etcd's leader, can be run again, and leaves no process behind")
    func fleetTwice() async throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("fleet-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: directory) }
        for _ in 1...2 {
            let (succeeded, output) = try await Self.bash(
                "'\(Self.root)/scripts/fleet' --no-build --dir '\(directory)'", in: Self.root)
            #expect(succeeded, "\(output)")
            #expect(output.hasSuffix("none refused, none lost, and all processes have been stopped\n"), "\(output)")
        }
    }

    /// Ends a daemon the tour has left, should the tour have failed before it did.
    private static func end(_ pidFile: String) async {
        guard let text = try? String(contentsOfFile: pidFile, encoding: .utf8),
            let pid = Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)),
            let name = try? String(contentsOfFile: "/proc/\(pid)/comm", encoding: .utf8), name.hasPrefix("privyseal")
        else { return }
        _ = kill(pid, SIGKILL)
    }
}
