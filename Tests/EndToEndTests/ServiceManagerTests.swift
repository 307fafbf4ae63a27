import AgentClient
import AgentProtocol
import Foundation
import ProcessSupport
import TestSupport
import Testing

@Suite("Under a service manager")
struct ServiceManagerTests {
    @Test("the agent says that it is ready, that it goes on, that it reads its configuration again, and that it stops")
    func agent() async throws {
        try await Installation.with { site in
            let manager = try NotifySocket(site.directory + "/notify")
            site.agentEnvironment = ["NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "100000"]
            let agent = try await site.startAgent()
            try await expect(
                [
                    "STATUS=starting: logs in to the token and looks at its keys", "READY=1", "STATUS=serving 0 issuers",
                    "WATCHDOG=1", "WATCHDOG=1",
                ], from: manager)
            kill(agent.process.processIdentifier, SIGHUP)
            try await expect(["RELOADING=1", "READY=1", "WATCHDOG=1"], from: manager)
            _ = try await site.output("issuer", "create", "demo", "--algorithm", "ES256")
            try await expect(["STATUS=serving 1 issuer"], from: manager)
            #expect(await agent.end() == 0)
            try await expect(["STOPPING=1"], from: manager)
        }
    }

    @Test("the frontend does, except that it has nothing to read again")
    func frontend() async throws {
        try await Installation.with { site in
            let manager = try NotifySocket(site.directory + "/notify")
            site.frontendEnvironment = ["NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "100000"]
            let frontend = try await site.startFrontend()
            try await expect(
                [
                    "READY=1", "STATUS=serving the documents of 0 issuers; not ready: no word from the agent yet",
                    "WATCHDOG=1", "WATCHDOG=1",
                ], from: manager)
            #expect(await frontend.end() == 0)
            try await expect(["STOPPING=1"], from: manager)
        }
    }

    @Test("without a watchdog there are no signs of life, and one for another process is not answered")
    func noWatchdog() async throws {
        try await Installation.with { site in
            let manager = try NotifySocket(site.directory + "/notify")
            site.agentEnvironment = ["NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"]
            let agent = try await site.startAgent()
            // It answers before it is ready.
            try await expect(["READY=1"], from: manager)
            #expect(await agent.end() == 0)
            #expect(manager.received().filter { !$0.hasPrefix("STATUS=") } == ["STOPPING=1"])
        }
    }

    @Test("the agent serves the manager's socket, leaves its file alone, and keeps nobody out while it restarts")
    func activation() async throws {
        try await Installation.with { site in
            let launcher = try site.start(
                Launcher.arguments(restartingOn: site.socket, "privyseald", ["serve", "--config", site.agentConfiguration]))
            #expect(await site.agentAnswers(), "\(launcher.text)")
            _ = try await site.output("issuer", "create", "demo", "--algorithm", "ES256")
            let kid = try await site.output("issuer", "show", "demo", "--query", "activeKid", "-o", "tsv")
            let inode = try site.inode(of: site.socket)
            // The configuration says 0600; the launcher, as a socket unit would, has made it 0660.
            #expect(try site.mode(of: site.socket) == 0o660)
            #expect(launcher.text.contains("the socket unit differs") && launcher.text.contains("0660"), "\(launcher.text)")

            let first = try #require(await site.startedPIDs(launcher, count: 1).first)
            kill(first, SIGTERM)
            // Answered by the agent that comes, if the other is gone by then.
            _ = try await site.output("version")
            let second = try #require(await site.startedPIDs(launcher, count: 2).last)
            #expect(second != first)
            #expect(try await site.output("issuer", "show", "demo", "--query", "activeKid", "-o", "tsv") == kid)
            #expect(try site.inode(of: site.socket) == inode)
            #expect(!FileManager.default.fileExists(atPath: site.socket + ".lock"), "nothing is made beside it")

            kill(launcher.process.processIdentifier, SIGKILL)
            kill(second, SIGTERM)
            #expect(await poll("the agent's end") { !FileManager.default.fileExists(atPath: "/proc/\(second)") })
            #expect(FileManager.default.fileExists(atPath: site.socket))
        }
    }

    @Test("a socket at another path than the configured one is served, and that is said")
    func elsewhere() async throws {
        try await Installation.with { site in
            let path = site.directory + "/elsewhere.sock"
            let launcher = try site.start(
                Launcher.arguments(
                    passing: ["unix:\(path)"], "privyseald", ["serve", "--config", site.agentConfiguration]))
            #expect(await site.agentAnswers(on: path), "\(launcher.text)")
            #expect(launcher.text.contains("socket.path") && launcher.text.contains(path), "\(launcher.text)")
            #expect(!FileManager.default.fileExists(atPath: site.socket))
            #expect(await launcher.end() == 0)
        }
    }

    @Test(
        "what is not one Unix socket that listens is refused in two lines",
        arguments: [
            (["tcp"], "no Unix stream socket"), (["bound:S"], "does not listen"), (["unix:S", "tcp"], "2 sockets"),
        ])
    func refused(passing: [String], reason: String) async throws {
        try await Installation.with { site in
            let items = passing.map { $0.replacing(":S", with: ":\(site.socket)") }
            let outcome = try await Programs.run(
                at: Launcher.python,
                Launcher.arguments(passing: items, "privyseald", ["serve", "--config", site.agentConfiguration]))
            #expect(outcome.status == 1)
            #expect(outcome.errors.hasPrefix("error: ") && outcome.errors.contains(reason), "\(outcome.errors)")
            #expect(outcome.errors.contains("\nhint: "), "\(outcome.errors)")
        }
    }

    /// Waits until these messages have come, in this order; others may be among them.
    private func expect(_ messages: [String], from manager: NotifySocket) async throws {
        var (missing, all) = (messages[...], [String]())
        await poll("\(messages)") {
            for message in manager.received() {
                all.append(message)
                if message == missing.first { missing.removeFirst() }
            }
            return missing.isEmpty
        }
        #expect(missing.isEmpty, "of \(messages), \(missing) did not come: \(all)")
    }
}

extension Installation {
    fileprivate func inode(of path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.systemFileNumber] as? Int
    }

    fileprivate func mode(of path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }

    /// The processes a restarting launcher has said it has started, once there are so many.
    fileprivate func startedPIDs(_ launcher: Daemon, count: Int) async -> [Int32] {
        func pids() -> [Int32] { launcher.text.split(separator: "\n").compactMap { Int32($0) } }
        await poll("\(count) agents") { pids().count >= count }
        return pids()
    }
}
