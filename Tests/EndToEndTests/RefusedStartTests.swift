import AgentClient
import AgentProtocol
import Foundation
import ProcessSupport
import TestSupport
import Testing

@Suite("A start that is refused, under a service manager")
struct RefusedStartTests {
    @Test("tells those who wait at the manager's socket, so that they do not have the agent started over and over")
    func callers() async throws {
        try await Installation.with { site in
            try site.writeAgentConfiguration(replacing: ["publicBaseURL: ": "publicBaseUrl: "])
            let manager = try NotifySocket(site.directory + "/notify")
            let launcher = try site.start(
                Launcher.arguments(activatingOn: site.socket, "privyseald", ["serve", "--config", site.agentConfiguration]),
                environment: ["NOTIFY_SOCKET": manager.path])
            #expect(await poll("the socket") { FileManager.default.fileExists(atPath: site.socket) })
            // Two who wait for their answer, come what may.
            for _ in 1...2 {
                let refusal = try await refusal(on: site.socket)
                #expect(refusal == .shuttingDown)
            }
            func ends() -> [Substring] { launcher.text.split(separator: "\n").filter { $0.hasPrefix("ended ") } }
            #expect(await poll("the agent's end") { !ends().isEmpty }, "\(launcher.text)")
            #expect(ends().allSatisfy { $0 == "ended 78" }, "\(launcher.text)")
            #expect(launcher.text.contains("error: ") && launcher.text.contains("publicBaseUrl"), "\(launcher.text)")
            // Nobody is left waiting, so nothing starts it again until somebody comes.
            let count = ends().count
            #expect(count <= 2)
            #expect(try await refusal(on: site.socket) == .shuttingDown)
            #expect(await poll("another end") { ends().count == count + 1 })
            #expect(manager.received().contains { $0.hasPrefix("STATUS=") && $0.contains("publicBaseUrl") })
        }
    }

    @Test("of the frontend is paced as well, and says what it is")
    func frontend() async throws {
        try await Installation.with { site in
            let manager = try NotifySocket(site.directory + "/notify")
            try FileManager.default.removeItem(atPath: site.directory + "/documents")
            let started = ContinuousClock.now
            let outcome = try await Programs.run(
                "privyseal-issuer", ["serve", "--config", site.issuerConfiguration],
                environment: ["NOTIFY_SOCKET": manager.path])
            #expect(outcome.status == 1 && outcome.errors.contains("the cache directory"), "\(outcome.errors)")
            // No sooner, however fast the machine is.
            #expect(ContinuousClock.now - started >= .seconds(2))
            #expect(manager.received().last?.contains("the cache directory") == true)
        }
    }

    /// The reason of the line that the agent sends by itself.
    private func refusal(on socket: String) async throws -> Reason? {
        let script = """
            import json, socket, sys
            s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            s.settimeout(100)
            s.connect(sys.argv[1])
            print(json.loads(s.makefile().readline())["error"]["data"]["reason"])
            """
        let outcome = try await Programs.run(at: Launcher.python, ["-c", script, socket])
        return Reason(rawValue: outcome.output.trimmingCharacters(in: .newlines))
    }
}

@Suite("Under the journal")
struct JournalTests {
    /// Where the log of a daemon goes, as the manager names it.
    private func stream(_ path: String) throws -> [String: String] {
        try Data().write(to: URL(fileURLWithPath: path))
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        let (device, inode) = (attributes[.systemNumber] as? Int, attributes[.systemFileNumber] as? Int)
        return ["JOURNAL_STREAM": "\(try #require(device)):\(try #require(inode))"]
    }

    @Test("records have their priority and no second time; errors of a start are errors")
    func priorities() async throws {
        try await Installation.with { site in
            site.agentEnvironment = try stream(site.directory + "/privyseald.log")
            let agent = try await site.startAgent()
            #expect(await poll("the log") { agent.text.contains("<5>notice serving") }, "\(agent.text)")
            try site.writeAgentConfiguration(replacing: ["publicBaseURL: ": "publicBaseUrl: "])
            kill(agent.process.processIdentifier, SIGHUP)
            #expect(await poll("the log") { agent.text.contains("\n<3>error the configuration does not load") })
            #expect(await agent.end() == 0)
            #expect(agent.text.split(separator: "\n").allSatisfy { $0.hasPrefix("<") }, "\(agent.text)")
            let second = try site.launchAgent()
            #expect(await second.process.status == 78)
            #expect(second.text.contains("\n<3>error: ") && second.text.contains("\n<3>hint: "), "\(second.text)")
        }
    }

    @Test("where standard error is redirected to another file, lines are as they are elsewhere")
    func redirected() async throws {
        try await Installation.with { site in
            site.agentEnvironment = try stream(site.directory + "/another.log")
            let agent = try await site.startAgent()
            #expect(await poll("the log") { agent.text.contains(" notice serving") })
            #expect(!agent.text.contains("<5>"), "\(agent.text)")
        }
    }
}
