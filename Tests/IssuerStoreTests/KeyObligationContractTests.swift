import IssuerStore
import KeyLifecycle
import Testing

@Suite("What every store promises of intents, destructions and the refused PIN")
struct KeyObligationContractTests {
    private let conflict = StoreError(.conflict, "", hint: "")

    @Test("intents are kept in the order they were recorded in, also by a clock set back", arguments: Implementation.allCases)
    func intentOrder(_ implementation: Implementation) async throws {
        try await implementation.withStore { store in
            let intents: [GenerationIntent] = [
                .number(7, at: .at(20)), .number(3, for: .other, .es256, at: .at(10)), .number(5, at: .at(30)),
            ]
            for intent in intents { try await store.record(intent) }
            #expect(try await store.snapshot().intents == intents)
            #expect(try await store.contents().lastChange == nil)
        }
    }

    @Test("a CKA_ID is used once, whatever has become of its key", arguments: Implementation.allCases)
    func usedOnce(_ implementation: Implementation) async throws {
        try await implementation.withStore { store in
            let issuer = try await store.create()
            try await store.publishStandby(issuer, key: 2, at: .at(1))
            try await store.record(.number(3))
            try await store.record(.number(4))
            try await store.bury(.number(4))
            for number in [5, 6] as [UInt8] {
                try await store.record(.number(number))
                try await store.abandon(.number(number), at: .at(2))
            }
            try await store.markDestroyed(.number(6), at: .at(3))
            let before = try await store.snapshot()
            for number in 1...6 as ClosedRange<UInt8> {
                await #expect(throws: conflict, "key \(number)") { try await store.record(.number(number, for: .other)) }
            }
            #expect(try await store.snapshot() == before)
        }
    }

    @Test("burying turns an intent into a tombstone, once and for all", arguments: Implementation.allCases)
    func bury(_ implementation: Implementation) async throws {
        try await implementation.withStore { store in
            try await store.record(.number(1))
            try await store.record(.number(2))
            try await store.bury(.number(1))
            try await store.bury(.number(1))
            #expect(try await store.snapshot().intents == [GenerationIntent.number(1).buried, .number(2)])
        }
    }

    @Test("abandoning turns an intent or a tombstone into a pending destruction", arguments: Implementation.allCases)
    func abandon(_ implementation: Implementation) async throws {
        try await implementation.withStore { store in
            try await store.record(.number(1))
            try await store.record(.number(2, for: .other))
            try await store.bury(.number(2))
            try await store.abandon(.number(2), at: .at(5))
            try await store.abandon(.number(1), at: .at(6))
            try await store.abandon(.number(2), at: .at(7))
            let contents = try await store.contents()
            #expect(contents.intents.isEmpty)
            #expect(
                contents.destructions == [
                    PendingDestruction(keyID: .number(2), issuer: .other, requestedAt: .at(5)),
                    PendingDestruction(keyID: .number(1), issuer: .demo, requestedAt: .at(6)),
                ])
        }
    }

    @Test("a key that has entered a ring can be neither buried nor abandoned nor marked", arguments: Implementation.allCases)
    func ringKeysAreSafe(_ implementation: Implementation) async throws {
        try await implementation.withStore { store in
            try await store.create()
            let before = try await store.snapshot()
            await #expect(throws: conflict) { try await store.bury(.number(1)) }
            await #expect(throws: conflict) { try await store.abandon(.number(1), at: .at(1)) }
            await #expect(throws: conflict) { try await store.markDestroyed(.number(1), at: .at(1)) }
            #expect(try await store.snapshot() == before)
        }
    }

    @Test("a key nobody has heard of is a conflict everywhere", arguments: Implementation.allCases)
    func unknownKey(_ implementation: Implementation) async throws {
        try await implementation.withStore { store in
            await #expect(throws: conflict) { try await store.bury(.number(1)) }
            await #expect(throws: conflict) { try await store.abandon(.number(1), at: .at(1)) }
            await #expect(throws: conflict) { try await store.markDestroyed(.number(1), at: .at(1)) }
        }
    }

    @Test("a destruction is pending until it is marked, and marking again is harmless", arguments: Implementation.allCases)
    func destruction(_ implementation: Implementation) async throws {
        try await implementation.withStore { store in
            for number in 1...3 as ClosedRange<UInt8> {
                try await store.record(.number(number))
                try await store.abandon(.number(number), at: .at(Int(number)))
            }
            try await store.markDestroyed(.number(2), at: .at(8))
            try await store.markDestroyed(.number(2), at: .at(9))
            #expect(try await store.contents().destructions.map(\.keyID) == [.number(1), .number(3)])
            // It is over: the key cannot be made pending once more.
            await #expect(throws: conflict) { try await store.abandon(.number(2), at: .at(10)) }
        }
    }

    @Test("the refused PIN source is kept, replaced and forgotten", arguments: Implementation.allCases)
    func refusedPIN(_ implementation: Implementation) async throws {
        try await implementation.withStore { store in
            let refused = RefusedPIN(source: "file 8:1 42 6 100", returnValue: "CKR_PIN_INCORRECT", at: .at(1))
            let another = RefusedPIN(source: "file 8:1 43 6 200", returnValue: "CKR_PIN_LOCKED", at: .at(2))
            #expect(try await store.refusedPIN() == nil)
            try await store.setRefusedPIN(refused)
            #expect(try await store.refusedPIN() == refused)
            try await store.setRefusedPIN(another)
            #expect(try await store.refusedPIN() == another)
            try await store.setRefusedPIN(nil)
            #expect(try await store.refusedPIN() == nil)
        }
    }
}
