import FaultyTokenSupport
import IssuerStore
import PKCS11
import Platform
import Testing

@testable import Agent

@Suite("Seals on records of a shared store")
struct RecordSealTests {
    private let statements = [Array("one".utf8), Array("another".utf8), []]

    private func check(_ sealer: TokenRecordSealer, _ seals: [String]) async throws {
        let genuine = zip(statements, seals).map { SealedStatement(statement: $0, seal: $1) }
        #expect(try await sealer.judge(genuine) == [.genuine, .genuine, .genuine])
        let swapped = [
            SealedStatement(statement: statements[0], seal: seals[1]), SealedStatement(statement: statements[1], seal: seals[0]),
        ]
        #expect(try await sealer.judge(swapped) == [.wrong, .wrong])
        let other = seals[0].replacing(#/[0-9a-f]{32}/#, with: String(repeating: "0", count: 32))
        let odd = ["", "x", "\(seals[0]):", String(seals[0].dropLast(4)), other]
        #expect(
            try await sealer.judge(odd.map { SealedStatement(statement: statements[0], seal: $0) })
                == [.wrong, .wrong, .wrong, .wrong, .unknownKey])
    }

    @Test("are by HMAC where the token has it, by one key for a deployment, which it holds as it holds every other")
    func hmac() async throws {
        try await AgentFixture.stopped { agent in
            let seals = try await agent.withHSM { hsm in
                let sealer = hsm.recordSealer(deployment: agent.deployment)
                #expect(try await sealer.judge([SealedStatement(statement: [1], seal: "")]) == [.unsealed])
                #expect(try await sealer.prepare())
                #expect(try await !sealer.prepare())
                let seals = try await sealer.seals(for: statements)
                #expect(seals.allSatisfy { $0.hasPrefix("hs256:") && $0.utf8.count <= 160 })
                try await check(sealer, seals)
                // Another deployment on the token has a key of its own.
                let stranger = hsm.recordSealer(deployment: "another")
                #expect(try await stranger.prepare())
                let judged = try await stranger.judge([SealedStatement(statement: statements[0], seal: seals[0])])
                #expect(judged == [.unknownKey])
                return seals
            }
            // After a restart.
            try await agent.withHSM { hsm in try await check(hsm.recordSealer(deployment: agent.deployment), seals) }
            try agent.onToken { session in
                let keys = try session.findObjects([.class(.secretKey), .label("privyseal-seal/\(agent.deployment)")])
                #expect(keys.count == 1)
                let custody = try session.custody(of: keys[0])
                #expect(custody.sensitive == true && custody.extractable == false && custody.neverExtractable == true)
                #expect(custody.local == true && custody.decrypt == false && custody.unwrap == false && custody.derive == false)
            }
        }
    }

    @Test(
        "are by a pair on P-256 where the token has no HMAC",
        arguments: ["CKM_SHA256_HMAC", "CKM_GENERIC_SECRET_KEY_GEN"])
    func pair(hidden: String) async throws {
        try await AgentFixture.stopped { agent, token in
            try token.set("* hide-mechanism=\(hidden)")
            try await agent.withHSM { hsm in
                let sealer = hsm.recordSealer(deployment: agent.deployment)
                let seals = try await sealer.seals(for: statements)
                #expect(seals.allSatisfy { $0.hasPrefix("es256:") && $0.utf8.count <= 160 })
                try await check(sealer, seals)
            }
        }
    }

    @Test("of two agents that make a key at once, each believes what the other seals; both then use the same one")
    func two() async throws {
        try await AgentFixture.stopped { agent in
            try await agent.withHSM { hsm in
                let sealers = (0..<2).map { _ in hsm.recordSealer(deployment: agent.deployment) }
                // Neither has seen the other's.
                async let first = sealers[0].seals(for: statements)
                async let second = sealers[1].seals(for: statements)
                let seals = try await [first, second]
                for sealer in sealers { for made in seals { try await check(sealer, made) } }
                let fresh = hsm.recordSealer(deployment: agent.deployment)
                let keys = try await [fresh.seals(for: [[1]]), hsm.recordSealer(deployment: agent.deployment).seals(for: [[1]])]
                #expect(keys[0] == keys[1])
            }
        }
    }
}

extension AgentFixture {
    func withHSM<Value: Sendable>(_ body: (HSM) async throws -> Value) async throws -> Value {
        let hsm = try await PINWatch.logIn(configuration.withLock { $0 }, store: store, environment)
        do {
            let value = try await body(hsm)
            await hsm.shutdown()
            return value
        } catch {
            await hsm.shutdown()
            throw error
        }
    }
}
