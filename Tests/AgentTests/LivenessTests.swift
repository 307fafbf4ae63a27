import Agent
import Foundation
import Platform
import SoftHSMSupport
import Testing

@Suite("Signs that an agent goes on")
struct LivenessTests {
    @Test("come again and again while it runs, and not from one in which nothing looks at time")
    func goneOn() async throws {
        try await AgentFixture.stopped { first in
            try await AgentFixture.stopped { second in
                let hanging = try await second.separateServer()
                let sign = Task { try await hanging.goneOn() }
                let server = try await first.separateServer()
                let running = Task { try await server.run() }
                // By the last of these, whatever else the other one does now and then has been done too.
                for _ in 1...3 { try await server.goneOn() }
                sign.cancel()
                await #expect(throws: CancellationError.self) { try await sign.value }
                running.cancel()
                _ = await running.result
                await hanging.stop()
            }
        }
    }

    @Test("a socket is not made where others could put one of their own in its place", arguments: [0o770, 0o777])
    func exposedDirectory(mode: Int) async throws {
        try await AgentFixture.stopped { agent in
            let directory = agent.token.directory + "/run"
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: false)
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: directory)
            let path = try UnixSocketPath(directory + "/agent.sock")
            agent.configuration.withLock { $0.socket = path }
            let error = await #expect(throws: PlatformError.self) { try await agent.start() }
            #expect(error?.code == .exposed && error?.hint.contains("chmod go-w \(directory)") == true)
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == [])
        }
    }
}

extension AgentFixture {
    /// An agent that the test runs and stops by itself.
    fileprivate func separateServer() async throws -> AgentServer {
        try await AgentServer.start(configuration.withLock { $0 }, store: store, environment: environment)
    }
}
