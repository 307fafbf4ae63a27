import IssuerStore
import KeyLifecycle
import Testing

@Suite("What every store promises of a commit")
struct CommitContractTests {
    @Test("a new store is empty", arguments: Implementation.allCases)
    func newStore(_ implementation: Implementation) async throws {
        try await implementation.withStore { store in
            let empty = Snapshot(issuers: [], intents: [], destructions: [], lastChange: nil, refusedPIN: nil)
            let found = try await store.snapshot()
            #expect(found == empty)
            #expect(store.deployment == .fixture)
        }
    }

    @Test("an issuer reads back as it was committed, every setting included", arguments: Implementation.allCases)
    func readBack(_ implementation: Implementation) async throws {
        try await implementation.withStore { store in
            let settings = IssuerSettings(
                algorithm: .es256, rsaBits: 3_072, defaultIssuer: "https://default.example", lifetime: 700,
                maximumLifetime: 800, overlap: 900, jwksMaxAge: 60, notBeforeSkew: 30, standby: true,
                rotateEvery: 1_000)
            let enabled = try await store.create(settings: settings, url: "https://oidc.example/t/u/")
            let plain = try await store.create(.other, key: 2, settings: IssuerSettings(standby: false), at: .at(5))
            #expect(try await store.contents().issuers == [enabled, plain])
        }
    }

    @Test(
        "a revocation that has been begun reads back with whose it is, until it is carried out",
        arguments: Implementation.allCases)
    func begunRevocation(_ implementation: Implementation) async throws {
        try await implementation.withStore { store in
            let orders: [(UInt8, BegunRevocation.Initiator?)] = [
                (2, BegunRevocation.Initiator(agent: "b", incarnation: "7")), (3, nil),
            ]
            for (number, by) in orders {
                let issuer = try #require(try await number == 2 ? store.create() : store.issuer())
                let kid = try #require(issuer.ring.active?.kid)
                let plan = try issuer.planningRevocation(of: kid, at: .at(10))
                try await store.record(.number(number, at: .at(10)))
                let begun = try await store.apply(
                    issuer.publishingFresh(.number(number), for: plan, revoking: kid, by: by, at: .at(10)), fulfilling: number)
                #expect(begun.revoking?.by == by && begun.revoking?.successor == "kid-\(number)")
                #expect(try await store.contents().issuers == [begun])
                let ended = try await store.apply(begun.executing(begun.planningRevocation(of: kid, at: .at(11))))
                #expect(ended.revoking == nil && ended.ring[kid]?.state == .revoked)
                #expect(try await store.contents().issuers == [ended])
            }
        }
    }

    @Test("each transition of a key ring and a profile reads back as it was committed", arguments: Implementation.allCases)
    func transitions(_ implementation: Implementation) async throws {
        try await implementation.withStore { store in
            func check(_ issuer: Issuer, _ destroyed: [UInt8]) async throws -> Issuer {
                let contents = try await store.contents()
                #expect(contents.issuers == [issuer])
                #expect(contents.destructions.map(\.keyID) == destroyed.map(KeyID.number))
                #expect(contents.intents.isEmpty)
                return issuer
            }
            func update(_ issuer: Issuer, settings: IssuerSettings? = nil, enabled: Bool? = nil, url: String = "", at: Int)
                throws -> IssuerChange?
            {
                try issuer.updating(
                    IssuerUpdate(settings: settings, enabled: enabled, freshURL: url, immediately: false), at: .at(at))
            }
            var issuer = try await check(store.create(url: "https://oidc.example/t/1/"), [])
            issuer = try await check(store.publishStandby(issuer, key: 2, at: .at(1)), [])
            issuer = try await check(store.apply(issuer.executing(issuer.planningRotation(at: .at(1_000)))), [])
            issuer = try await check(store.publishStandby(issuer, key: 3, at: .at(1_001)), [])

            // A second rotation inside the overlap: a fresh key, the retiring and the standby key revoked.
            let plan = try issuer.planningRotation(at: .at(2_000))
            try await store.record(.number(4, at: .at(2_000)))
            issuer = try await check(
                store.apply(issuer.publishingFresh(.number(4), for: plan, at: .at(2_000)), fulfilling: 4), [3])
            let rest = issuer.continuing(plan, withPublished: "kid-4", at: .at(2_001))
            issuer = try await check(store.apply(issuer.executing(rest)), [3, 1])
            #expect(issuer.ring.keys.map(\.state) == [.revoked, .retiring, .revoked, .active])

            var lower = issuer.settings
            lower.maximumLifetime = 3_600
            lower.jwksMaxAge = 10
            issuer = try await check(store.apply(update(issuer, settings: lower, at: 2_100)), [3, 1])
            #expect(issuer.maxAgeHorizon != nil && issuer.ring.active?.latestExpiry != nil)

            issuer = try await check(store.apply(update(issuer, enabled: false, at: 2_200)), [3, 1])
            issuer = try await check(
                store.apply(update(issuer, enabled: true, url: "https://oidc.example/t/2/", at: 2_300)), [3, 1])
            issuer = try await check(store.apply(update(issuer, enabled: false, at: 2_400)), [3, 1])
            #expect(issuer.acceptedIssuers.map(\.url) == ["https://oidc.example/t/1/", "https://oidc.example/t/2/"])

            issuer = try await check(store.apply(issuer.expiring(at: .at(200_000))), [3, 1, 2])
            #expect(issuer.acceptedIssuers.isEmpty && issuer.ring.count(.retired) == 1)

            issuer = try await check(store.publishStandby(issuer, key: 5, at: .at(200_001)), [3, 1, 2])
            let revocation = try issuer.planningRevocation(of: "kid-4", at: .at(200_002), canGenerate: false)
            issuer = try await check(store.apply(issuer.executing(revocation)), [3, 1, 2, 4])
            #expect(issuer.ring.keys.map(\.state) == [.revoked, .retired, .revoked, .revoked, .active])

            // A rotation that waits, and then does so no more.
            issuer = try await check(store.publishStandby(issuer, key: 6, at: .at(200_003)), [3, 1, 2, 4])
            let waiting = try issuer.planningRotation(at: .at(200_004), whenSafe: true)
            issuer = try await check(
                store.apply(issuer.deferring(waiting, fresh: nil, at: .at(200_004))), [3, 1, 2, 4])
            #expect(issuer.rotationRequestedAt == .at(200_004))
            let due = try #require(issuer.planningDueRotation(at: .at(300_000)))
            issuer = try await check(store.apply(issuer.executing(due)), [3, 1, 2, 4])
            #expect(issuer.rotationRequestedAt == nil)

            // One that revokes meanwhile: in one commit, the retiring key and the standby key too.
            issuer = try await check(store.publishStandby(issuer, key: 7, at: .at(300_001)), [3, 1, 2, 4])
            let revoking = try issuer.planningRotation(at: .at(300_002), whenSafe: true)
            try await store.record(.number(8, at: .at(300_002)))
            issuer = try await check(
                store.apply(issuer.deferring(revoking, fresh: .number(8), at: .at(300_002)), fulfilling: 8),
                [3, 1, 2, 4, 5, 7])
            #expect(issuer.ring.published.map(\.kid) == ["kid-6", "kid-8"])
        }
    }

    @Test("issuers come by name, whatever the order they were made in", arguments: Implementation.allCases)
    func order(_ implementation: Implementation) async throws {
        try await implementation.withStore { store in
            let names = ["b", "a-b", "a1", "z", "ab", "a", "0"]
            for (number, name) in names.enumerated() {
                try await store.create(IssuerName(name)!, key: UInt8(number + 1))
            }
            #expect(try await store.contents().issuers.map(\.name.text) == ["0", "a", "a-b", "a1", "ab", "b", "z"])
        }
    }

    @Test("the last change is the latest moment of any commit, not that of the last", arguments: Implementation.allCases)
    func lastChange(_ implementation: Implementation) async throws {
        try await implementation.withStore { store in
            try await store.create(at: .at(100))
            #expect(try await store.contents().lastChange == .at(100))
            let other = try await store.create(.other, key: 2, at: .at(50))
            #expect(try await store.contents().lastChange == .at(100))
            try await store.commit(other.deleting(at: .at(300)), fulfilling: [])
            #expect(try await store.contents().lastChange == .at(300))
        }
    }

    @Test("deleting an issuer leaves nothing of it but destructions for its published keys", arguments: Implementation.allCases)
    func deletion(_ implementation: Implementation) async throws {
        try await implementation.withStore { store in
            let other = try await store.create(.other, key: 9)
            var issuer = try await store.create(url: "https://oidc.example/t/1/")
            issuer = try await store.publishStandby(issuer, key: 2, at: .at(1))
            issuer = try await store.apply(issuer.executing(issuer.planningRotation(at: .at(2))))
            issuer = try await store.apply(issuer.expiring(at: .at(100_000)))
            try await store.markDestroyed(.number(1), at: .at(100_001))
            issuer = try await store.publishStandby(issuer, key: 3, at: .at(100_002))
            let disabling = IssuerUpdate(settings: nil, enabled: false, freshURL: "", immediately: false)
            issuer = try await store.apply(issuer.updating(disabling, at: .at(100_003)))
            try await store.commit(issuer.deleting(at: .at(100_004)), fulfilling: [])

            let contents = try await store.contents()
            #expect(contents.issuers == [other])
            #expect(
                contents.destructions.sorted { $0.keyID.bytes[0] < $1.keyID.bytes[0] }
                    == [2, 3].map { number in
                        PendingDestruction(
                            keyID: .number(number), issuer: .demo, requestedAt: .at(100_004),
                            publicKey: [0x30, number, 0x00, 0xFF])
                    })

            // The name is free again, and nothing of the former issuer comes back with it.
            let again = try await store.create(key: 4, former: issuer.generation, at: .at(100_005))
            #expect(try await store.contents().issuers == [again, other])
        }
    }

    @Test("of commits from one generation exactly one wins", arguments: Implementation.allCases)
    func race(_ implementation: Implementation) async throws {
        try await implementation.withStore { store in
            let issuer = try await store.create()
            let changes = try (1...8).map { number in
                var settings = issuer.settings
                settings.lifetime = 1_000 + number
                return try issuer.updating(
                    IssuerUpdate(settings: settings, enabled: nil, freshURL: "", immediately: false), at: .at(1))!
            }
            let outcomes = await withTaskGroup(of: Result<IssuerChange, any Error>.self) { group in
                for change in changes {
                    group.addTask {
                        do {
                            try await store.commit(change, fulfilling: [])
                            return .success(change)
                        } catch {
                            return .failure(error)
                        }
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            let won = outcomes.compactMap { try? $0.get() }
            #expect(won.count == 1)
            #expect(outcomes.filter { $0.isConflict }.count == 7)
            #expect(try await store.issuer() == won.first?.issuer)
        }
    }

    @Test("a commit goes through although its caller is cancelled", arguments: Implementation.allCases)
    func cancellation(_ implementation: Implementation) async throws {
        try await implementation.withStore { store in
            let issuer = try await store.create()
            let deletion = issuer.deleting(at: .at(1))
            let caller = Task {
                while !Task.isCancelled { await Task.yield() }
                try await store.commit(deletion, fulfilling: [])
                return try await store.contents().issuers
            }
            caller.cancel()
            #expect(try await caller.value.isEmpty)
        }
    }
}

extension Result where Failure == any Error {
    fileprivate var isConflict: Bool {
        if case .failure(let error as StoreError) = self { error.code == .conflict } else { false }
    }
}
