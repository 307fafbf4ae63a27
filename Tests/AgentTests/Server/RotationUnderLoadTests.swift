import AgentClient
import AgentProtocol
import Platform
import RelyingParty
import Testing

@Suite("Rotation while others sign")
struct RotationUnderLoadTests {
    /// A JWT, and how many rotations had been answered before it was asked for.
    private struct Sample: Sendable {
        let jwt: String
        let kid: String
        let rotations: Int
    }

    @Test("eight clients sign through five rotations: no request fails, each JWT verifies, none is by a key rotated out before")
    func rotationsUnderLoad() async throws {
        try await AgentFixture.with { agent, client in
            let first = try await client.create().activeKid
            await agent.settle()
            let answered = Locked(0)
            let isOver = Locked(false)
            var kidsInTurn = [first]
            var keySets = [try await client.discovery().jwks.body]
            let samples = try await withThrowingTaskGroup(of: [Sample].self) { group in
                for _ in 1...8 {
                    group.addTask {
                        var samples: [Sample] = []
                        try await agent.connected { client in
                            while !isOver.withLock({ $0 }) {
                                let rotations = answered.withLock { $0 }
                                let reply = try await client.sign()
                                samples.append(Sample(jwt: reply.jwt, kid: reply.kid, rotations: rotations))
                            }
                        }
                        return samples
                    }
                }
                for number in 1...5 {
                    kidsInTurn.append(try await client.rotate().activeKid)
                    answered.withLock { $0 = number }
                    keySets.append(try await client.discovery().jwks.body)
                    await agent.settle()
                }
                isOver.withLock { $0 = true }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(Set(kidsInTurn).count == 6)
            var verifiers: [String: JWTVerifier] = [:]
            for (kid, keySet) in zip(kidsInTurn, keySets) {
                verifiers[kid] = try await JWTVerifier(keySet: Array(keySet.utf8))
            }
            #expect(samples.count >= 8)
            for sample in samples {
                let turn = try #require(kidsInTurn.firstIndex(of: sample.kid))
                #expect(turn >= sample.rotations)
                _ = try #require(verifiers[sample.kid]).verify(sample.jwt, now: Double(agent.clock.now))
            }
        }
    }
}
