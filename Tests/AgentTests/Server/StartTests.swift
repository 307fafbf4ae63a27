import Agent
import AgentClient
import AgentProtocol
import Foundation
import IssuerStore
import PKCS11
import Platform
import SoftHSMSupport
import Testing

@Suite("What keeps an agent from starting")
struct StartTests {
    @Test("a socket path that is too long is refused, naming its length and the limit")
    func pathTooLong() throws {
        let error = #expect(throws: PlatformError.self) { _ = try UnixSocketPath("/tmp/" + String(repeating: "a", count: 120)) }
        #expect(error?.code == .tooLong)
        #expect(error?.message.contains("125") == true && error?.message.contains("107") == true)
    }

    @Test("a socket that a live agent serves is left alone, and the agent that came second leaves nothing running")
    func liveSocket() async throws {
        try await AgentFixture.with { first, client in
            try await AgentFixture.stopped { second in
                let free = second.configuration.withLock { $0.socket }
                let taken = try UnixSocketPath(first.socketPath)
                second.configuration.withLock { $0.socket = taken }
                let error = await #expect(throws: PlatformError.self) { try await second.start() }
                #expect(error?.code == .locked)
                #expect(try await client.health().status == "ok")
                second.configuration.withLock { $0.socket = free }
                try await second.start()
            }
        }
    }

    @Test("a socket file that nobody serves any more is replaced")
    func staleSocket() async throws {
        try await AgentFixture.stopped { agent in
            try leaveStaleSocket(at: agent.socketPath)
            try await agent.start()
            try await agent.connected { client in
                let health = try await client.health()
                #expect(health.status == "ok")
            }
        }
    }

    @Test("a regular file at the socket's path is refused and kept")
    func regularFile() async throws {
        try await AgentFixture.stopped { agent in
            try Data("mine".utf8).write(to: URL(fileURLWithPath: agent.socketPath))
            let error = await #expect(throws: PlatformError.self) { try await agent.start() }
            #expect(error?.message.contains(agent.socketPath) == true)
            #expect(try String(contentsOfFile: agent.socketPath, encoding: .utf8) == "mine")
        }
    }

    @Test("the socket has the configured mode")
    func socketMode() async throws {
        try await AgentFixture.with { agent, _ in
            let attributes = try FileManager.default.attributesOfItem(atPath: agent.socketPath)
            #expect(attributes[.posixPermissions] as? Int == 0o600)
        }
    }

    @Test("a module that is missing is named")
    func missingModule() async throws {
        try await AgentFixture.stopped { agent in
            let path = agent.token.directory + "/absent.so"
            agent.configuration.withLock { $0.hsm.modulePath = path }
            let error = await #expect(throws: HSMError.self) { try await agent.start() }
            #expect(error?.code == .unavailable)
            #expect((error?.cause as? PKCS11Error)?.code == .moduleNotLoaded)
            #expect(error?.message.contains(path) == true)
            #expect(error?.hint.isEmpty == false)
        }
    }

    @Test("a token that is not there is said not to be found")
    func missingToken() async throws {
        try await AgentFixture.stopped { agent in
            let absent = try TokenURI("pkcs11:token=absent")
            agent.configuration.withLock { $0.hsm.token = absent }
            let error = await #expect(throws: HSMError.self) { try await agent.start() }
            #expect((error?.cause as? PKCS11Error)?.code == .tokenNotFound)
        }
    }

    @Test("a wrong PIN is sent once: not again while its source is unchanged, but after it was corrected")
    func wrongPIN() async throws {
        try await AgentFixture.stopped { agent in
            let reads = Locked(0)
            func useSource(_ identity: String, _ pin: @escaping @Sendable () -> PIN) {
                let source = PINSource(identity: { identity }) {
                    reads.withLock { $0 += 1 }
                    return pin()
                }
                agent.configuration.withLock { $0.pin = source }
            }
            useSource("file-1") { PIN(Array("0000-wrong".utf8)) }
            let first = await #expect(throws: HSMError.self) { try await agent.start() }
            #expect(first?.code == .pinRefused)
            #expect(first?.message.contains("CKR_PIN_INCORRECT") == true)
            #expect(try agent.tokenFlags().contains(.userPINCountLow))

            let second = await #expect(throws: HSMError.self) { try await agent.start() }
            #expect(second?.code == .pinRefused)
            #expect(reads.withLock { $0 } == 1)
            #expect(try !agent.tokenFlags().contains(.userPINFinalTry))
            #expect(try !agent.tokenFlags().contains(.userPINLocked))

            let token = agent.token
            useSource("file-2") { token.pin() }
            try await agent.start()
            #expect(try await agent.store.refusedPIN() == nil)
            await agent.stop()
            #expect(try !agent.tokenFlags().contains(.userPINCountLow))
        }
    }

    @Test("a store that cannot be read keeps it from starting and leaves nothing running")
    func unreadableStore() async throws {
        try await AgentFixture.stopped { agent in
            agent.failures.fail { if case .contents = $0 { true } else { false } }
            await #expect(throws: (any Error).self) { try await agent.start() }
            #expect(!FileManager.default.fileExists(atPath: agent.socketPath))
            agent.failures.fail { _ in false }
            try await agent.start()
        }
    }
}

@Suite("An agent at work and at its end")
struct ServiceTests {
    @Test("a store that fails refuses changes and says so, signing goes on, and it recovers")
    func storeTrouble() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            await agent.settle()
            let before = try await client.keys("demo")
            agent.failures.fail { call in if case .contents = call { false } else { true } }
            let error = try await refusal { try await client.rotate() }
            #expect(error.reason == .storeUnavailable)
            #expect(error.retryable)
            _ = try await client.sign()
            let health = try await client.health()
            #expect(health.status == "degraded")
            #expect(health.store.state == "unavailable")
            #expect(health.problems.contains { $0.component == "store" })
            #expect(try await client.keys("demo") == before)

            agent.failures.fail { _ in false }
            try await client.rotate()
            await agent.settle()
            #expect(try await client.health().store.state == "ok")
        }
    }

    @Test("another uid is refused every method but version, whatever exists")
    func anotherUID() async throws {
        try await AgentFixture.stopped { agent in
            agent.configuration.withLock { $0.access = .ownUser(getuid() + 1) }
            try await agent.start()
            try await agent.connected { client in
                for method in Method.all where method != .version {
                    let error = try await refusal { _ = try await client.callRaw(method, params: nil) }
                    #expect(error.reason == .permissionDenied, "\(method)")
                }
            }
        }
    }

    @Test("a stop answers the rotation that is under way, removes the socket and leaves the token to others")
    func gracefulStop() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            await agent.settle()
            try await client.rotate()
            await agent.settle()
            let frontend = try await agent.connect()
            let (_, changes) = try await frontend.watch()
            _ = try await frontend.discovery()
            // The second rotation waits for the frontend, which does not fetch.
            async let rotation = client.rotate()
            for try await change in changes where change.issuers.contains(where: { $0.name == "demo" }) { break }
            await agent.stop()
            #expect(try await rotation.publication?.outcome != nil)
            #expect(!FileManager.default.fileExists(atPath: agent.socketPath))
            await #expect(throws: AgentUnreachable.self) { _ = try await agent.connect() }
            await frontend.close()

            try await agent.start()
            try await agent.connected { again in
                #expect(try await again.status().keyCounts.active == 1)
                _ = try await again.sign()
            }
        }
    }

    @Test("issuers, keys and URLs outlive a restart")
    func restart() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            await agent.settle()
            try await client.rotate()
            await agent.settle()
            let keys = try await client.keys()
            let documents = try await client.discovery()
            try await agent.restart()
            try await agent.connected { again in
                let signed = try await again.sign().kid
                #expect(signed == keys.first { $0.state == "active" }?.kid)
                #expect(try await again.keys() == keys)
                #expect(try await again.discovery() == documents)
            }
        }
    }
}

extension AgentFixture {
    /// The token's flags, while no agent runs.
    fileprivate func tokenFlags() throws -> TokenInfo.Flags {
        defer { try? token.module().finalize() }
        return try token.slot().tokenInfo().flags
    }
}
