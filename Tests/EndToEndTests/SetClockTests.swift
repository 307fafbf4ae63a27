import AgentClient
import AgentProtocol
import Foundation
import ProcessSupport
import TestSupport
import Testing

@Suite("A wall clock that is set back while a program runs")
struct SetClockTests {
    @Test(
        "holds up nothing in the agent: its threads come round, it records, signs and changes, and nothing waits for that clock")
    func agent() async throws {
        try await Installation.with { site in
            let manager = try NotifySocket(site.directory + "/notify")
            let clock = try SetClock(site.directory + "/clock")
            site.agentEnvironment = ["NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "100000"]
                .merging(clock.environment) { _, own in own }
            let agent = try await site.startAgent()
            _ = try await site.output("issuer", "create", "demo", "--algorithm", "ES256")
            try clock.set(ahead: -3_600)
            #expect(
                await poll("the doubt") { try await site.output("health", "--query", "clock.state", "-o", "tsv") == "suspect" })
            // What was under way then may still end, and what begins then must.
            await signsOfLife(5, from: manager)
            _ = try await site.output("jwt", "issue", "demo", "--audience", "api", "--subject", "me")
            _ = try await site.output("issuer", "rotate-signing-keys", "demo", "--yes")
            await signsOfLife(2, from: manager)
            #expect(await end(agent, heardBy: manager) == 0)
            #expect(try clock.waits == 0)
        }
    }

    @Test("nor in the frontend, nor in the client")
    func others() async throws {
        try await Installation.with { site in
            let manager = try NotifySocket(site.directory + "/notify")
            let clock = try SetClock(site.directory + "/clock")
            site.frontendEnvironment = ["NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "100000"]
                .merging(clock.environment) { _, own in own }
            try await site.startAgent()
            let frontend = try await site.startFrontend()
            try clock.set(ahead: -3_600)
            await signsOfLife(5, from: manager)
            let shown = try await Programs.run(
                "privyseal", ["issuer", "list"], environment: site.environment.merging(clock.environment) { _, own in own })
            #expect(shown.status == 0, "\(shown.errors)")
            #expect(try await site.get("/healthz").status == 200)
            #expect(await end(frontend, heardBy: manager) == 0)
            #expect(try clock.waits == 0)
        }
    }

    /// Ends a daemon, and hears what it says meanwhile: one whose manager does not listen waits to be heard.
    private func end(_ daemon: Daemon, heardBy manager: NotifySocket) async -> Int32 {
        kill(daemon.process.processIdentifier, SIGTERM)
        await poll("its end") {
            _ = manager.received()
            return !daemon.process.isRunning
        }
        return await daemon.end()
    }

    /// Waits until so many signs of life have come since now.
    private func signsOfLife(_ count: Int, from manager: NotifySocket) async {
        _ = manager.received()
        var seen = 0
        await poll("\(count) signs of life") {
            seen += manager.received().count { $0 == "WATCHDOG=1" }
            return seen >= count
        }
        #expect(seen >= count)
    }
}
