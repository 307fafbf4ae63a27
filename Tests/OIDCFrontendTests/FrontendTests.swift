import AgentProtocol
import Foundation
import Logging
import ServiceLifecycle
import TestSupport
import Testing

@testable import OIDCFrontend

@Suite("The whole frontend")
struct FrontendTests {
    @Test("what the agent said is served after a restart without it, until it expires")
    func restartWithoutAgent() async throws {
        try await withTemporaryDirectory { directory in
            let clock = TestClock()
            let agent = ScriptedSource([
                discovery(
                    of: "demo",
                    [url("a", [(wire(0), "k1+k2"), (wire(100), "k2")]), url("old", current: false, expiresAt: wire(200))])
            ])
            try await running(agent, directory, clock) { server in
                try await eventually("served") { try await server.request("GET", jwksPath("a")).status == 200 }
                try await eventually("ready") { try await server.request("GET", "/readyz").status == 200 }
                agent.change(discovery(of: "other", [url("b")]))
                try await eventually("a new issuer") { try await server.request("GET", jwksPath("b")).status == 200 }
            }
            agent.goAway()
            clock.move(to: moment(90))
            try await running(agent, directory, clock) { server in
                let before = try await server.request("GET", jwksPath("a"))
                #expect(before.body == jwksBody("k1+k2"))
                #expect(before["Cache-Control"] == "public, max-age=10")
                #expect(try await server.request("GET", jwksPath("b")).status == 200)
                #expect(try await server.request("GET", "/readyz").status == 200)
                clock.move(to: moment(100))
                #expect(try await server.request("GET", jwksPath("a")).body == jwksBody("k2"))
                #expect(try await server.request("GET", discoveryPath("old")).status == 200)
                clock.move(to: moment(200))
                #expect(try await server.request("GET", discoveryPath("old")).status == 404)
                clock.move(to: moment(4000))
                #expect(try await server.request("GET", "/readyz").status == 503)
                #expect(try await server.request("GET", jwksPath("a")).body == jwksBody("k2"))
            }
        }
    }

    @Test("a cache directory that others can write to is refused", arguments: [0o777, 0o702, 0o770, 0o1777])
    func exposedCache(mode: Int) throws {
        try withTemporaryDirectory { directory in
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: directory)
            let error = #expect(throws: FrontendError.self) {
                try Frontend(
                    settings(directory), agents: [ScriptedSource()], clock: TestClock().reading, uptime: TestUptime().reading,
                    logger: silent)
            }
            #expect(error?.code == .cacheUnusable)
            let text = mode < 0o1000 ? "0\(String(mode, radix: 8))" : String(mode, radix: 8)
            #expect(
                error?.message
                    == "the cache directory \(directory) has mode \(text), so others than its owner can put files in it")
        }
    }

    @Test("an agent whose socket is not there is named, with what to do")
    func noSocket() async throws {
        try await withTemporaryDirectory { directory in
            let error = await #expect(throws: FrontendError.self) {
                try await AgentSource(socketPath: directory + "/agent.sock").probe()
            }
            #expect(error?.code == .agentUnreachable)
            #expect(error?.message == "there is no socket at \(directory)/agent.sock")
            #expect(error?.hint == "start privyseald, or correct the path of its socket in agent")
        }
    }

    @Test("probing an address leaves it free")
    func probe() async throws {
        try await DocumentServer.probe(host: "127.0.0.1", port: 0)
        try await withRunningServer(DocumentResponder(publication: LivePublication(clock: TestClock().reading, uptime: { 0 }))) {
            server in
            await #expect(throws: FrontendError.self) { try await DocumentServer.probe(host: "127.0.0.1", port: server.port) }
        }
    }

    private func settings(_ directory: String) -> FrontendSettings {
        FrontendSettings(host: "127.0.0.1", port: 0, cacheDirectory: directory, staleAfter: 3600)
    }

    private func running(
        _ agent: ScriptedSource, _ directory: String, _ clock: TestClock, _ body: (RunningServer) async throws -> Void
    ) async throws {
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        let frontend = try Frontend(
            settings(directory), agents: [agent], clock: clock.reading, uptime: TestUptime().reading, logger: silent
        ) { port.yield($0) }
        try await withRunning(frontend.services, ports, finishing: port, body)
    }
}
