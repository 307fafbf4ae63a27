import Foundation
import IssuerStore
import KeyLifecycle
import TestSupport
import Testing

@Suite("A view that is kept up")
struct IncrementalViewTests {
    /// Everything of a view but when it was read.
    private struct Shown: Equatable {
        let head: StoreHead
        let issuers: [Issuer]
        let intents: [GenerationIntent]
        let destructions: [PendingDestruction]
        let quarantined: [QuarantinedKey]
        let former: [IssuerName: Int]
        let token: TokenIdentity?
        let agents: Set<String>
        let lastChange: Timestamp?

        init(_ view: StoreView) {
            let contents = view.contents
            (head, issuers, intents) = (view.head, contents.issuers, contents.intents)
            (destructions, quarantined, former) = (contents.destructions, contents.quarantined, contents.formerGenerations)
            (token, agents, lastChange) = (contents.token, contents.agents, contents.lastChange)
        }
    }

    /// Changes the store in ways that agents do, by chance.
    private struct Changer {
        var random: SeededGenerator
        var moment = 0
        var number: UInt32 = 0
        let names = (0..<20).map { IssuerName("i\($0)")! }

        mutating func key() -> GeneratedKey {
            number += 1
            let bytes = [UInt8](repeating: 0, count: KeyID.length - 4) + withUnsafeNumber(number)
            return GeneratedKey(
                keyID: KeyID(bytes)!, kid: "kid-\(number)", specification: KeySpecification(.rs256, rsaBits: 2_048),
                publicKey: [0x30] + withUnsafeNumber(number))
        }

        private func withUnsafeNumber(_ number: UInt32) -> [UInt8] {
            (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * (3 - $0))) }
        }

        private func record(_ key: GeneratedKey, _ name: IssuerName, _ store: any SharedIssuerStorage) async throws {
            try await store.record(
                GenerationIntent(keyID: key.keyID, issuer: name, algorithm: .rs256, recordedAt: .at(moment)))
        }

        mutating func step(_ contents: StoreContents, _ store: any SharedIssuerStorage) async throws {
            moment += 1
            let name = random.pick(names)
            let now = Timestamp.at(moment)
            guard let issuer = contents.issuers.first(where: { $0.name == name }) else {
                let key = key()
                try await record(key, name, store)
                let change = try Issuer.creating(
                    name, settings: IssuerSettings(), url: nil, firstKey: key, former: contents.formerGenerations[name] ?? 0,
                    at: now)
                try await store.commit(change, fulfilling: [key.keyID])
                return
            }
            switch Int.random(in: 0..<12, using: &random) {
            case 0...2 where issuer.ring.count(.standby) == 0:
                let key = key()
                try await record(key, name, store)
                try await store.commit(issuer.publishingStandby(key, at: now), fulfilling: [key.keyID])
            case 0...4 where issuer.ring.count(.standby) == 1 && issuer.ring.count(.retiring) == 0:
                try await store.commit(issuer.executing(issuer.planningRotation(at: now)), fulfilling: [])
            case 5 where issuer.ring.count(.retiring) == 1:
                moment += 200_000
                if let change = issuer.expiring(at: .at(moment)) { try await store.commit(change, fulfilling: []) }
            case 6 where issuer.ring.count(.standby) == 1:
                let plan = try issuer.planningRevocation(of: issuer.ring.active!.kid, at: now, canGenerate: false)
                try await store.commit(issuer.executing(plan), fulfilling: [])
            case 7 where random.chance(40):
                try await store.commit(issuer.deleting(at: now), fulfilling: [])
            case 8:
                for key in contents.destructions.prefix(3) { try await store.markDestroyed(key.keyID, at: now) }
            case 9:
                let key = key()
                try await record(key, name, store)
                if random.chance(50) { try await store.bury(key.keyID) }
            case 10:
                if let intent = contents.intents.first { try await store.abandon(intent.keyID, at: now) }
                if random.chance(20) { try await store.strandDestructions() }
            default:
                try await store.noteAgents(["start-\(Int.random(in: 0..<10, using: &random))"])
                try await store.forgetAgents(["start-\(Int.random(in: 0..<10, using: &random))"])
                try await store.noteToken(TokenIdentity(label: "t", serial: "\(Int.random(in: 0..<3, using: &random))"))
            }
        }
    }

    @Test(
        "it is the same as one that is read anew, after a thousand and more changes by others",
        arguments: SharedImplementation.allCases)
    func equality(_ implementation: SharedImplementation) async throws {
        try await implementation.withScene { scene in
            let (a, b, reader) = (try await scene.agent("a"), try await scene.agent("b"), try await scene.agent("reader"))
            var changer = Changer(random: SeededGenerator(seed: 14))
            var kinds: Set<Int> = []
            for step in 0..<1_000 {
                try await changer.step(a.view().contents, step % 2 == 0 ? a : b)
                // Some changes are seen one by one, others many at once.
                if step % 500 < 250 ? step % 3 == 0 : step % 60 == 0 { _ = try await reader.view() }
                guard step % 100 == 99 else { continue }
                let fresh = try await scene.opening("fresh", "1", nil)
                let (kept, anew) = (try await reader.view(), try await fresh.view())
                await scene.end(fresh)
                kinds.insert(anew.contents.issuers.count)
                try #require(Shown(kept) == Shown(anew), "after \(step) changes")
            }
            #expect(kinds.count > 1, "issuers came and went")
        }
    }
}
