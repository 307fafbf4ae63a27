import AgentClient
import AgentProtocol
import Foundation
import IssuerStore
import Platform
import Testing

@testable import Agent

@Suite("Frontends of an agent")
struct FrontendsTests {
    @Test("creating an issuer returns once its standby key is published, and says that nobody serves it where that is so")
    func creation() async throws {
        try await AgentFixture.with({ $0.feed = .patient }) { agent, client in
            let parameters = IssuerCreateParameters(issuer: "demo", enableOIDCIssuer: true, settings: .init(algorithm: "ES256"))
            let created = try await client.call(parameters)
            #expect(created.issuer.keyCounts.standby == 1)
            #expect(created.warnings == ["nobody serves this issuer's documents: no frontend watches the agent"])
            #expect(try kids(of: try await client.discovery().jwks).count == 2)
            // Nothing is to be served of it.
            #expect(
                try await client.call(IssuerCreateParameters(issuer: "plain", settings: .init(algorithm: "ES256"))).warnings == []
            )
        }
    }

    @Test("after a restart, a fresh key signs only once the frontends of before are back and serve it")
    func restart() async throws {
        try await AgentFixture.with({ $0.feed = .patient }) { agent, client in
            try await client.create()
            let frontend = try await agent.connect()
            try await serve(frontend)
            await agent.settle()
            #expect(try await agent.store.contents().frontends == 1)
            try await client.rotate()
            await agent.settle()
            await frontend.close()
            try await agent.restart()
            try await agent.connected { client in
                let before = try await client.sign().kid
                let known = Set(try kids(of: try await client.discovery().jwks))
                async let rotation = client.rotate()
                // Its key is published, and nobody is there yet.
                while try known.isSuperset(of: kids(of: try await client.discovery().jwks)) {}
                #expect(try await client.sign().kid == before)
                let again = try await agent.connect()
                try await serve(again)
                let result = try await rotation
                #expect(result.publication == PublicationView(outcome: "published", published: 1, watching: 1))
                #expect(try await client.sign().kid == result.activeKid)
                await again.close()
            }
        }
    }

    @Test("a rotation that has waited long enough still waits for a frontend that does not serve its key, for ten minutes")
    func held() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            let frontend = try await agent.connect()
            try await serve(frontend)
            try await client.rotate()
            await agent.settle()
            let before = try await client.sign().kid
            // Revokes, publishes a fresh key, which the frontend does not serve, and waits.
            let waiting = try await client.rotate(whenSafe: true)
            await agent.pass(60)
            await agent.pass(60)
            #expect(try await client.sign().kid == before)
            try await serve(frontend)
            await agent.settle()
            await agent.settle()
            #expect(try await client.sign().kid == waiting.plan.incoming?.kid)

            let second = try await client.sign().kid
            _ = try await client.rotate(whenSafe: true)
            for _ in 1...3 { await agent.pass(60) }
            #expect(try await client.sign().kid == second)
            await agent.pass(700)
            await agent.settle()
            #expect(try await client.sign().kid != second)
            await frontend.close()
        }
    }

    @Test(
        "the reply to a revocation says of each frontend when it served what holds then, and for how long one that does not say may not"
    )
    func withdrawal() async throws {
        try await AgentFixture.with({
            $0.feed = .patient
            $0.feed.withdrawal = .seconds(120)
        }) { agent, client in
            try await client.create()
            #expect(try await client.revoke(client.sign().kid).settlement == nil)
            let frontend = try await ServingFrontend(agent.connect(), staleAfter: 30)
            let first = try #require(try await client.revoke(client.sign().kid).settlement)
            #expect(first.settled && first.agents.isEmpty && first.keysDestroyed == nil)
            #expect(first.frontends?.map(\.outcome) == ["served"] && first.frontends?[0].milliseconds != nil)
            #expect(first.frontends?[0].pid == Int(getpid()) && first.frontends?[0].uid == Int(getuid()))
            // Nothing is taken back by it.
            #expect(try await client.rotate(noRevoke: true).settlement == nil)
            let deleted = try #require(try await client.call(IssuerDeleteParameters(issuer: "demo")).settlement)
            #expect(deleted.settled && deleted.agents.isEmpty && deleted.frontends?.map(\.outcome) == ["served"])
            await frontend.close()
        }
        try await AgentFixture.with({ $0.feed = ChangeFeed.Limits(publication: .milliseconds(1), withdrawal: .milliseconds(1)) })
        {
            agent, client in
            try await client.create()
            let (said, unsaid) = (try await agent.connect(), try await agent.connect())
            _ = try await said.watch(acknowledges: true, staleAfter: 30)
            _ = try await unsaid.watch(acknowledges: true)
            let revoked = try await client.revoke(client.sign().kid)
            #expect(revoked.settlement?.frontends?.map(\.outcome) == ["pending", "pending"])
            // As long as a relying party keeps the documents beyond that they are served.
            #expect(revoked.settlement?.frontends?.map(\.staleForSeconds) == [30 + 30, 3_600 + 30])
            #expect(
                revoked.warnings.count { $0.contains("a frontend (pid \(getpid())) has not said") } == 2, "\(revoked.warnings)")
            let deleted = try await client.call(IssuerDeleteParameters(issuer: "demo"))
            #expect(deleted.settlement?.frontends?.map(\.outcome) == ["pending", "pending"])
            #expect(deleted.warnings.count { $0.contains("has not said") } == 2, "\(deleted.warnings)")
            await said.close()
            await unsaid.close()
        }
    }

    @Test("what is acknowledged needs the permission to watch, and a connection that has said that it would")
    func acknowledgement() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            let served = AcknowledgeParameters(issuers: [ServedIssuer(name: "demo", generation: 2, urls: 1)])
            #expect(try await refusal { _ = try await client.call(served) }.reason == .invalidRequest)
            _ = try await client.watch()
            #expect(try await refusal { _ = try await client.call(served) }.reason == .invalidRequest)
            _ = try await client.watch(acknowledges: true)
            _ = try await client.call(served)
            agent.useAccess([AccessTests.rule { $0.methods = [.watch] }])
            _ = try await client.call(served)
            agent.useAccess([AccessTests.rule { $0.methods = [.acknowledge] }])
            #expect(try await refusal { _ = try await client.call(served) }.reason == .permissionDenied)
        }
    }

    @Test("whoever may connect may ask for the version, whatever the rules say, and it is not recorded")
    func version() async throws {
        try await AgentFixture.with { agent, client in
            for rules in [[AccessTests.rule { $0.methods = [.watch] }], []] {
                agent.useAccess(rules)
                #expect(try await client.call(VersionParameters()).protocolVersion == ProtocolVersion.current)
            }
            #expect(try await refusal { _ = try await client.health() }.reason == .permissionDenied)
            await agent.stop()
            let records = try String(contentsOfFile: agent.configuration.withLock { $0.audit.path }, encoding: .utf8)
            #expect(records.contains(#""method":"health""#) && !records.contains(#""method":"version""#))
        }
    }

    @Test("an issuer that was deleted is said to have been, up to which generation, and one that never was is not")
    func deletion() async throws {
        try await AgentFixture.with({ $0.feed = .patient }) { agent, client in
            try await client.create()
            let last = try await client.status().generation
            _ = try await client.call(IssuerDeleteParameters(issuer: "demo"))
            let gone = try await refusal { _ = try await client.discovery() }
            #expect(gone.reason == .issuerNotFound && gone.details["generation"]?.integer == Int64(last))
            #expect(try await refusal { _ = try await client.discovery("never") }.details["generation"] == nil)
            #expect(try await client.watch().snapshot.deployment == agent.deployment)
        }
    }

    private func serve(_ frontend: AgentConnection) async throws {
        _ = try await frontend.watch(acknowledges: true)
        let documents = try await frontend.discovery()
        #expect(documents.deployment?.count == 32)
        _ = try await frontend.call(
            AcknowledgeParameters(issuers: [
                ServedIssuer(name: "demo", generation: documents.generation, urls: documents.urls.count)
            ]))
    }
}

/// Serves the issuer `demo` as a frontend does, until it is closed.
final class ServingFrontend: Sendable {
    private let connection: AgentConnection
    private let following: Task<Void, any Error>

    init(_ connection: AgentConnection, staleAfter: Int? = nil) async throws {
        self.connection = connection
        let changes = try await connection.watch(acknowledges: true, staleAfter: staleAfter).changes
        try await Self.serve(connection)
        following = Task {
            for try await _ in changes { try await Self.serve(connection) }
        }
    }

    func close() async {
        await connection.close()
        _ = await following.result
    }

    private static func serve(_ connection: AgentConnection) async throws {
        let served: ServedIssuer
        do {
            let documents = try await connection.discovery()
            served = ServedIssuer(name: "demo", generation: documents.generation, urls: documents.urls.count)
        } catch let error as ProtocolError where error.reason == .issuerNotFound {
            served = ServedIssuer(name: "demo", generation: error.details["generation"]?.integer.map { Int($0) } ?? 0, urls: 0)
        }
        _ = try await connection.call(AcknowledgeParameters(issuers: [served]))
    }
}

extension ChangeFeed.Limits {
    /// As long as a busy machine may take.
    static let patient = ChangeFeed.Limits(publication: .seconds(120), comeback: .seconds(120), standby: .seconds(120))
}
