import Foundation
import Platform
import SoftHSMSupport
import Testing

@testable import Agent

@Suite("Signs that an agent goes on")
struct LivenessTests {
    @Test("come again and again while it runs, and not from one in which nothing looks at time")
    func heartbeat() async throws {
        try await AgentFixture.stopped { first in
            try await AgentFixture.stopped { second in
                let hanging = try await second.separateServer()
                let sign = Task { try await hanging.heartbeat() }
                let server = try await first.separateServer()
                let running = Task { try await server.run() }
                // By the last of these, whatever else the other one does now and then has been done too.
                for _ in 1...3 { try await server.heartbeat() }
                sign.cancel()
                await #expect(throws: CancellationError.self) { try await sign.value }
                running.cancel()
                _ = await running.result
                await hanging.stop()
            }
        }
    }

    @Test("come from the audit log's thread too, and not while the disk holds it")
    func recording() async throws {
        try await AuditFixture.with { first in
            try await AuditFixture.with { second in
                try await first.logged { log in
                    try await second.logged { held in
                        await held.heartbeat()
                        second.faults.set { $0.isSyncHanging = true }
                        let record = Task { await held.writer.writeToDisk(.note("for the disk")) }
                        while second.faults.switches.withLock({ $0.syncs }) == 0 { await Task.yield() }
                        let sign = Task {
                            await held.heartbeat()
                            return !Task.isCancelled
                        }
                        for _ in 1...3 { await log.heartbeat() }
                        sign.cancel()
                        #expect(await sign.value == false)
                        second.faults.set { $0.isSyncHanging = false }
                        #expect(await record.value == nil)
                        await held.heartbeat()
                    }
                }
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
