import IssuerStore
import KeyLifecycle
import Testing

@Suite("What every store refuses to commit, and then has not done")
struct RefusedCommitContractTests {
    /// A store with the issuer `demo` at generation 2 (keys 1 active, 2 standby), an open intent for key 3, a tombstone for
    /// key 4, one open for key 5 of another issuer.
    private struct Scene {
        let store: any IssuerStorage
        let first: Issuer
        let second: Issuer

        init(_ store: any IssuerStorage) async throws {
            self.store = store
            first = try await store.create()
            second = try await store.publishStandby(first, key: 2, at: .at(1))
            try await store.record(.number(3, at: .at(2)))
            try await store.record(.number(4, at: .at(3)))
            try await store.bury(.number(4))
            try await store.record(.number(5, for: .other, at: .at(4)))
        }

        /// The commit is a conflict and leaves the store as it was; returns what the conflict says.
        @discardableResult
        func refuses(
            _ change: IssuerChange, fulfilling keys: [UInt8] = [], sourceLocation: SourceLocation = #_sourceLocation
        ) async throws -> String {
            let before = try await store.snapshot()
            let error = await #expect(throws: StoreError.self, sourceLocation: sourceLocation) {
                try await store.commit(change, fulfilling: keys.map(KeyID.number))
            }
            #expect(error?.code == .conflict, sourceLocation: sourceLocation)
            #expect(try await store.snapshot() == before, sourceLocation: sourceLocation)
            return error?.message ?? ""
        }
    }

    private func withScene(_ implementation: Implementation, _ body: (Scene) async throws -> Void) async throws {
        try await implementation.withStore { store in try await body(Scene(store)) }
    }

    @Test("an issuer that exists is not created", arguments: Implementation.allCases)
    func existing(_ implementation: Implementation) async throws {
        try await withScene(implementation) { scene in
            let change = try Issuer.creating(
                .demo, settings: IssuerSettings(), url: nil, firstKey: .number(3), at: .at(9))
            try await scene.refuses(change, fulfilling: [3])
        }
    }

    @Test("a change or a deletion from an older generation is refused", arguments: Implementation.allCases)
    func stale(_ implementation: Implementation) async throws {
        try await withScene(implementation) { scene in
            try await scene.refuses(scene.first.publishingStandby(.number(3), at: .at(9)), fulfilling: [3])
            try await scene.refuses(scene.first.deleting(at: .at(9)))
        }
    }

    @Test("a change or a deletion of an issuer that is gone is refused", arguments: Implementation.allCases)
    func gone(_ implementation: Implementation) async throws {
        try await withScene(implementation) { scene in
            try await scene.store.commit(scene.second.deleting(at: .at(8)), fulfilling: [])
            try await scene.refuses(scene.second.executing(scene.second.planningRotation(at: .at(9))))
            try await scene.refuses(scene.second.deleting(at: .at(9)))
        }
    }

    @Test(
        "a change made from a deleted issuer does not touch its successor of the same generation",
        arguments: Implementation.allCases)
    func successor(_ implementation: Implementation) async throws {
        try await withScene(implementation) { scene in
            try await scene.store.commit(scene.second.deleting(at: .at(1)), fulfilling: [])
            // Created at the very same second, so that the keys alone tell them apart.
            let current = try await scene.store.create(
                key: 11, former: scene.second.generation, at: scene.second.createdAt)
            // As another agent's memory might have it.
            let former = Issuer(
                name: scene.second.name, generation: current.generation, createdAt: scene.second.createdAt,
                changedAt: scene.second.changedAt, settings: scene.second.settings, profile: scene.second.profile,
                acceptedIssuers: [], ring: scene.second.ring, lastRotationAt: nil, maxAgeHorizon: nil)
            let rotation = try former.executing(former.planningRotation(at: .at(9)))
            for change in [rotation, former.deleting(at: .at(9))] {
                let message = try await scene.refuses(change)
                #expect(message.contains("made from other keys"))
            }
        }
    }

    @Test("an issuer made again goes on with the generations of its deleted namesake", arguments: Implementation.allCases)
    func generationsGoOn(_ implementation: Implementation) async throws {
        try await withScene(implementation) { scene in
            let last = scene.second.generation
            try await scene.store.commit(scene.second.deleting(at: .at(1)), fulfilling: [])
            #expect(try await scene.store.contents().formerGenerations == [.demo: last])
            try await scene.store.record(.number(11))
            for former in [0, last - 1] {
                let change = try Issuer.creating(
                    .demo, settings: IssuerSettings(), url: nil, firstKey: .number(11), former: former, at: .at(2))
                let message = try await scene.refuses(change, fulfilling: [11])
                #expect(message.contains("deleted"))
            }
            let change = try Issuer.creating(
                .demo, settings: IssuerSettings(), url: nil, firstKey: .number(11), former: last, at: .at(2))
            try await scene.store.commit(change, fulfilling: [.number(11)])
            #expect(try await scene.store.issuer()?.generation == last + 1)
        }
    }

    @Test("a key whose intent is not fulfilled by the commit does not enter a ring", arguments: Implementation.allCases)
    func withoutIntent(_ implementation: Implementation) async throws {
        try await withScene(implementation) { scene in
            let plan = try scene.second.planningRevocation(of: "kid-1", at: .at(9))
            func fresh(_ key: UInt8) throws -> IssuerChange {
                try scene.second.publishingFresh(.number(key), for: plan, at: .at(9))
            }
            try await scene.refuses(fresh(3))
            // Never recorded; given up; for another issuer; another key's; fulfilled before.
            try await scene.refuses(fresh(6), fulfilling: [6])
            try await scene.refuses(fresh(4), fulfilling: [4])
            try await scene.refuses(fresh(5), fulfilling: [5])
            try await scene.refuses(fresh(6), fulfilling: [3])
            try await scene.refuses(fresh(2), fulfilling: [2])
            try await scene.store.apply(fresh(3), fulfilling: 3)
        }
    }

    @Test("an intent whose key is not new in the change is not fulfilled", arguments: Implementation.allCases)
    func withoutKey(_ implementation: Implementation) async throws {
        try await withScene(implementation) { scene in
            let rotation = try scene.second.executing(scene.second.planningRotation(at: .at(9)))
            try await scene.refuses(rotation, fulfilling: [3])
            try await scene.refuses(rotation, fulfilling: [1])
            try await scene.refuses(scene.second.deleting(at: .at(9)), fulfilling: [3])
            try await scene.store.apply(rotation)
        }
    }

    @Test("a kid that another issuer has is refused", arguments: Implementation.allCases)
    func foreignKid(_ implementation: Implementation) async throws {
        try await withScene(implementation) { scene in
            let twin = GeneratedKey(
                keyID: .number(5), kid: "kid-1", specification: KeySpecification(.rs256, rsaBits: 2_048), publicKey: [1])
            let change = try Issuer.creating(.other, settings: IssuerSettings(), url: nil, firstKey: twin, at: .at(9))
            try await scene.refuses(change, fulfilling: [5])
        }
    }
}
