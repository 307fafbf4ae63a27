import IssuerStore
import IssuerStoreSupport
import KeyLifecycle
import Testing

@Suite("What every store promises of keys and tokens that went apart")
struct RecoveryContractTests {
    private let conflict = StoreError(.conflict, "", hint: "")
    private let token = TokenIdentity(label: "new", serial: "2")

    private func unknown(_ number: UInt8, issuer: IssuerName = .demo) -> QuarantinedKey {
        QuarantinedKey(
            keyID: .number(number), kid: "kid-\(number)", issuer: issuer, publicKey: [0x30, number, 0x00, 0xFF],
            since: .at(50))
    }

    /// An issuer whose ring is behind the token: key 1 is gone, key 2 still there, keys 8 and 9 unknown, key 8 retained.
    private func recovered(_ store: any IssuerStorage) async throws -> IssuerChange {
        let issuer = try await store.publishStandby(store.create(), key: 2, at: .at(1))
        try await store.record(.number(3))
        return try issuer.recovering(
            with: .number(3),
            retaining: RetainedKey(keyID: .number(8), kid: "kid-8", algorithm: .rs256, publicKey: [0x30, 8, 0x00, 0xFF]),
            KeyDifference(missing: [.number(1)], unknown: [unknown(8), unknown(9)]), at: .at(50))
    }

    @Test(
        "a recovery puts keys in quarantine instead of destroying them, and its retained key needs no intent",
        arguments: Implementation.allCases)
    func recovery(_ implementation: Implementation) async throws {
        try await implementation.withStore { store in
            let change = try await recovered(store)
            try await store.settle(Settlement(changes: [(change, [.number(3)])], token: token))
            let contents = try await store.contents()
            #expect(contents.issuers == [change.issuer].compactMap(\.self))
            #expect(contents.quarantined.map(\.name) == ["kid-2", "kid-9"])
            #expect(contents.destructions.isEmpty)
            #expect(contents.intents.isEmpty)
            #expect(contents.token == token)
            await #expect(throws: conflict, "a CKA_ID is used once") { try await store.record(.number(9)) }
        }
    }

    @Test("what is settled is settled as a whole", arguments: Implementation.allCases)
    func allOrNothing(_ implementation: Implementation) async throws {
        try await implementation.withStore { store in
            let change = try await recovered(store)
            let other = try Issuer.creating(
                .other, settings: IssuerSettings(), url: nil, firstKey: .number(4), at: .at(50))
            let before = try await store.snapshot()
            // The second change has no intent.
            await #expect(throws: conflict) {
                try await store.settle(
                    Settlement(changes: [(change, [.number(3)]), (other, [.number(4)])], token: token, lostAt: .at(50)))
            }
            #expect(try await store.snapshot() == before)
        }
    }

    @Test("a key leaves quarantine as a pending destruction, with its public key, and once", arguments: Implementation.allCases)
    func abandonQuarantined(_ implementation: Implementation) async throws {
        try await implementation.withStore { store in
            let change = try await recovered(store)
            try await store.settle(Settlement(changes: [(change, [.number(3)])], token: token))
            try await store.abandon(.number(9), at: .at(60))
            try await store.abandon(.number(9), at: .at(61))
            let contents = try await store.contents()
            #expect(contents.quarantined.map(\.name) == ["kid-2"])
            #expect(
                contents.destructions == [
                    PendingDestruction(
                        keyID: .number(9), issuer: .demo, requestedAt: .at(60), publicKey: [0x30, 9, 0x00, 0xFF])
                ])
        }
    }

    @Test("what was lost with a token is neither pending nor to be marked, and stays known", arguments: Implementation.allCases)
    func lost(_ implementation: Implementation) async throws {
        try await implementation.withStore { store in
            let change = try await recovered(store)
            try await store.settle(Settlement(changes: [(change, [.number(3)])], token: token))
            try await store.record(.number(5))
            try await store.abandon(.number(5), at: .at(60))
            var issuer = try #require(try await store.issuer())
            try await store.record(.number(6, at: .at(61)))
            let replacement = try issuer.replacingToken(with: .number(6), at: .at(62))
            try await store.settle(Settlement(changes: [(replacement, [.number(6)])], token: token, lostAt: .at(62)))
            let contents = try await store.contents()
            #expect(contents.quarantined.isEmpty && contents.destructions.isEmpty)
            for number in [2, 5, 9] as [UInt8] {
                await #expect(throws: conflict) { try await store.markDestroyed(.number(number), at: .at(63)) }
            }
            #expect(
                try await store.recognised(Set([1, 2, 3, 5, 6, 8, 9, 7].map(KeyID.number)))
                    == Set([1, 2, 3, 5, 6, 8, 9].map(KeyID.number)))
            // A key whose token is gone ends without a destruction, by time as by deletion.
            issuer = try #require(replacement.issuer)
            try await store.commit(issuer.deleting(at: .at(70)), fulfilling: [])
            #expect(try await store.contents().destructions.map(\.keyID) == [.number(6)])
        }
    }

    @Test("destructions that are pending when a token is left are stray, later ones are not", arguments: Implementation.allCases)
    func stray(_ implementation: Implementation) async throws {
        try await implementation.withStore { store in
            for number in [1, 2] as [UInt8] {
                try await store.record(.number(number))
                try await store.abandon(.number(number), publicKey: [number], at: .at(1))
            }
            try await store.markDestroyed(.number(2), at: .at(2))
            try await store.strandDestructions()
            try await store.record(.number(3))
            try await store.abandon(.number(3), at: .at(3))
            #expect(
                try await store.contents().destructions == [
                    PendingDestruction(
                        keyID: .number(1), issuer: .demo, requestedAt: .at(1), publicKey: [1], isStray: true),
                    PendingDestruction(keyID: .number(3), issuer: .demo, requestedAt: .at(3)),
                ])
            try await store.markDestroyed(.number(1), at: .at(4))
            #expect(try await store.contents().destructions.map(\.keyID) == [.number(3)])
        }
    }

    @Test("the token that last had the keys is kept", arguments: Implementation.allCases)
    func token(_ implementation: Implementation) async throws {
        try await implementation.withStore { store in
            #expect(try await store.contents().token == nil)
            for serial in ["1", "2"] {
                try await store.noteToken(TokenIdentity(label: "t", serial: serial))
                #expect(try await store.contents().token == TokenIdentity(label: "t", serial: serial))
            }
        }
    }
}
