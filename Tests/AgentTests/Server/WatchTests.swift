import AgentClient
import AgentProtocol
import Testing

@testable import Agent

@Suite("Watching")
struct WatchTests {
    @Test("the snapshot has every issuer, and each change after it is notified with its generation, a deletion as one")
    func notifications() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            await agent.settle()
            let watcher = try await agent.connect()
            let (snapshot, changes) = try await watcher.watch()
            let generation = try await client.status().generation
            #expect(snapshot.issuers == [WatchedIssuer(name: "demo", generation: generation)])

            var iterator = changes.makeAsyncIterator()
            try await client.create("other", standby: false)
            #expect(try await iterator.next()?.issuers == [WatchedIssuer(name: "other", generation: 1)])

            let rotated = try await client.rotate().generation
            let change = try #require(try await iterator.next())
            #expect(change.revision > snapshot.revision)
            #expect(try #require(change.issuers.first { $0.name == "demo" }).generation >= rotated)

            await agent.settle()
            _ = try await client.call(IssuerDeleteParameters(issuer: "other"))
            var deletion: WatchedIssuer?
            while deletion == nil { deletion = try await iterator.next()?.issuers.first { $0.name == "other" } }
            #expect(deletion?.deleted == true)

            try await client.create("other", standby: false)
            var again: WatchedIssuer?
            while again == nil { again = try await iterator.next()?.issuers.first { $0.name == "other" } }
            #expect(again?.deleted == nil)
            await watcher.close()
        }
    }

    @Test("a slow reader gets changes folded together and misses none")
    func slowReader() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create("left", standby: false)
            try await client.create("right", standby: false)
            let socket = try RawSocket(agent.socketPath)
            let snapshot = try await socket.ask(#"{"jsonrpc":"2.0","id":"watch","method":"watch"}"#)
            var revision = try #require(snapshot["result"]?["revision"]?.integer)
            // More replies than the socket holds, so that notifications wait behind them.
            let padding = String(repeating: "x", count: 20_000)
            let request =
                #"{"jsonrpc":"2.0","id":"sign","method":"sign","params":{"issuer":"left","claims":{"aud":"a","p":"\#(padding)"}}}"#
            // The agent reads the last of them only when the first replies have been taken.
            async let sent: Void = socket.send(Array(String(repeating: request + "\n", count: 20).utf8))
            _ = try await socket.reply()

            let count = 40
            var last: [String: Int64] = [:]
            for number in 1...count {
                let name = number.isMultiple(of: 2) ? "left" : "right"
                let update = IssuerUpdateParameters(issuer: name, settings: .init(lifetimeSeconds: 600 + number))
                last[name] = Int64(try await client.call(update).issuer.generation)
            }
            var seen: [String: Int64] = [:]
            var notifications = 0
            while seen != last {
                let line = try await socket.reply()
                guard let params = line["params"] else { continue }
                let next = try #require(params["revision"]?.integer)
                #expect(next > revision)
                revision = next
                notifications += 1
                for issuer in params["issuers"]?.elements ?? [] {
                    let name = try #require(issuer["name"]?.string)
                    let generation = try #require(issuer["generation"]?.integer)
                    #expect(generation > seen[name] ?? 0)
                    seen[name] = generation
                }
            }
            #expect(notifications < count)
            try await sent
        }
    }

    @Test("a fresh key signs only once a watching frontend that says nothing has fetched it")
    func freshKeyWaitsForFrontend() async throws {
        // As long as a busy machine may take: by default the key would not wait for it.
        try await AgentFixture.with({ $0.feed.publication = .seconds(120) }) { agent, client in
            try await client.create()
            await agent.settle()
            try await client.rotate()
            await agent.settle()
            let before = try await client.sign().kid
            let frontend = try await agent.connect()
            let (_, changes) = try await frontend.watch()
            let known = Set(try kids(of: try await frontend.discovery().jwks))

            async let rotation = client.rotate()
            for try await change in changes where change.issuers.contains(where: { $0.name == "demo" }) { break }
            let meanwhile = try await frontend.sign().kid
            let fetched = Set(try kids(of: try await frontend.discovery().jwks))

            let result = try await rotation
            #expect(result.publication == PublicationView(outcome: "published", published: 1, watching: 1))
            #expect(meanwhile == before)
            #expect(fetched.contains(result.activeKid))
            #expect(!known.contains(result.activeKid))
            await frontend.close()
        }
    }

    @Test("a frontend that does not fetch delays a fresh key for a second and no longer, and the reply says so")
    func deafFrontend() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            await agent.settle()
            try await client.rotate()
            await agent.settle()
            let frontend = try await agent.connect()
            let watched = try await frontend.watch()
            _ = try await frontend.discovery()
            let result = try await client.rotate()
            #expect(result.publication == PublicationView(outcome: "timed-out", published: 0, watching: 1))
            #expect(result.warnings.contains { $0.contains("0 of 1") })
            #expect(try await client.sign().kid == result.activeKid)
            await frontend.close()
            _ = watched
        }
    }

    @Test("what a frontend fetched of an issuer that was deleted does not count for its successor of that name")
    func successorIsFetchedAnew() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            await agent.settle()
            for _ in 1...2 {
                try await client.rotate()
                await agent.settle()
            }
            let frontend = try await agent.connect()
            let watched = try await frontend.watch()
            _ = try await frontend.discovery()
            _ = try await client.call(IssuerDeleteParameters(issuer: "demo"))
            try await client.create(standby: false)
            #expect(try await client.rotate().publication?.outcome != "published")
            await frontend.close()
            _ = watched
        }
    }
}
