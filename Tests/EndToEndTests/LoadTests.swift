import AgentClient
import AgentProtocol
import Foundation
import Platform
import RelyingParty
import Testing

@Suite("Under load")
struct LoadTests {
    @Test("16 clients sign while keys rotate ten times: every JWT verifies against the keys of its time, none fails")
    func rotations() async throws {
        try await Installation.with { site in
            try await site.startAgent()
            _ = try await site.output("issuer", "create", "demo", "--algorithm", "ES256")
            let rounds = Locked([[(jwt: SignResult, replied: Int)]](repeating: [], count: 11))
            let round = Locked(0)
            let isOver = Locked(false)
            var verifiers: [JWTVerifier] = []
            let control = try await site.connect()
            func keys() async throws -> JWTVerifier {
                let documents = try await control.call(GetDiscoveryParameters(issuer: "demo"))
                return try await JWTVerifier(keySet: Array(documents.jwks.body.utf8))
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 1...16 {
                    let client = try await site.connect()
                    group.addTask {
                        while !isOver.withLock({ $0 }) {
                            // A JWT belongs to the round in which it was asked for; its key is published then and after the next rotation.
                            let asked = round.withLock { $0 }
                            let jwt = try await client.call(SignParameters(issuer: "demo", claims: ["aud": "api"]))
                            let replied = round.withLock { $0 }
                            rounds.withLock { $0[asked].append((jwt, replied)) }
                        }
                        await client.close()
                    }
                }
                verifiers.append(try await keys())
                for number in 1...10 {
                    #expect(
                        await poll("signatures of round \(number - 1)") {
                            rounds.withLock { $0[number - 1].count } >= 32
                        })
                    _ = try await control.call(RotateParameters(issuer: "demo"))
                    verifiers.append(try await keys())
                    round.withLock { $0 = number }
                }
                #expect(await poll("signatures of the last round") { rounds.withLock { $0[10].count } >= 32 })
                isOver.withLock { $0 = true }
                try await group.waitForAll()
            }
            let now = Date().timeIntervalSince1970
            for (number, jwts) in rounds.withLock({ $0 }).enumerated() {
                for (jwt, replied) in jwts {
                    let verified = (number...(replied + 1)).contains { index in
                        index < verifiers.count && (try? verifiers[index].verify(jwt.jwt, now: now)) != nil
                    }
                    #expect(verified, "a JWT of round \(number) with kid \(jwt.kid)")
                }
            }
            await control.close()
        }
    }

    @Test("SIGTERM and SIGINT end the agent with status 0, whole replies and no socket file", arguments: [SIGTERM, SIGINT])
    func signals(signal: Int32) async throws {
        try await Installation.with { site in
            let agent = try await site.startAgent()
            _ = try await site.output("issuer", "create", "demo", "--algorithm", "ES256")
            let client = try await site.connect()
            let replies = Locked(0)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 1...100 {
                    group.addTask {
                        do {
                            _ = try await client.call(SignParameters(issuer: "demo", claims: ["aud": "api"]))
                            replies.withLock { $0 += 1 }
                        } catch is AgentUnreachable {
                            // Asked for after the agent had stopped reading.
                        }
                    }
                }
                #expect(await poll("the first replies") { replies.withLock { $0 } > 0 })
                #expect(await agent.end(signal) == 0, "\(agent.text)")
                try await group.waitForAll()
            }
            #expect(!FileManager.default.fileExists(atPath: site.socket))
            await client.close()
        }
    }
}
