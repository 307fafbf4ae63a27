import IssuerStore
import KeyLifecycle
import Logging

/// A store that other agents change as well: what they have made of it is taken on.
extension IssuerRegistry: ViewAdopter {
    /// Reads the store for the first time, as one among its agents.
    func load(followedBy fleet: StoreFollower) async throws {
        try await fleet.join()
        let view = try await fleet.store.view()
        try load(view.claimed)
        standing.doubt(view, among: issuers.keys)
        shared.note(view)
        for name in view.unverified.keys { standing.doubt(name, .sealNotShown) }
        for name in issuers.keys { shared.note(position(view.head.revision), of: name) }
        shared.take(intents: view.contents.intents, own: fleet.member.incarnation)
        await fleet.begin(with: view, self)
        showRefusals()
    }

    func viewBegins() -> ViewMark { ViewMark(changes: shared.changes) }

    func adopt(_ view: StoreView, since mark: ViewMark) async -> Bool {
        guard let fleet else { return false }
        let doubted = (standing.storeDoubt, standing.storeDoubts)
        standing.doubt(view, among: issuers.keys)
        shared.note(view)
        guard standing.storeDoubt == nil else {
            showRefusals()
            return false
        }
        let shown = issuers
        let contents = view.contents
        for issuer in contents.issuers { await take(issuer, at: view) }
        for issuer in view.unverified.values where issuer.generation != issuers[issuer.name]?.generation {
            keepBack(issuer, as: .sealNotShown)
        }
        let present = Set(contents.issuers.map(\.name)).union(view.unreadable.keys).union(view.unverified.keys)
        for (name, issuer) in shown where !present.contains(name) { takeAbsence(of: issuer, at: view, since: mark) }
        formerGenerations.merge(contents.formerGenerations) { max($0, $1) }
        if !shared.hasChangedAnything(since: mark) {
            obligations.load(contents)
            shared.take(intents: contents.intents, own: fleet.member.incarnation)
            for intent in contents.intents
            where intent.incarnation == fleet.member.incarnation && !intent.isTombstone && !obligations.knows(intent.keyID) {
                // Its recording was not answered.
                obligations.noteIntent(intent)
                await enqueueFollowUp(intent.issuer)
            }
        }
        shared.keep(Set(issuers.values.flatMap { $0.ring.published.map(\.kid) }))
        if (standing.storeDoubt, standing.storeDoubts) != doubted { showRefusals() }
        return true
    }

    /// Takes on what the store has of an issuer, if that is newer than what is shown.
    private func take(_ issuer: Issuer, at view: StoreView) async {
        let name = issuer.name
        guard standing.storeDoubts[name]?.isOfStore != true, isNews(issuer) || isUnproven(issuer) else { return }
        do {
            let lacking = try await keysNotShown(of: issuer)
            // Another view, or a change of this agent's own, may have been shown while the token was asked.
            guard isNews(issuer) || isUnproven(issuer) else { return }
            guard lacking.isEmpty else { return keepBack(issuer, as: .keysNotShown(lacking.map(\.kid))) }
            standing.doubt(name, nil)
            shared.noteProven(name)
            // Until then this agent may have signed by what was before, as far as the store had confirmed it.
            let signing = try signingState(of: issuer)
            limit(references[issuers[name]?.ring.active?.kid ?? ""], in: issuer)
            let outgoing = show(issuer, signing, named: name)
            if outgoing != nil { shared.noteRotatedElsewhere(name, at: issuer.generation) }
            shared.note(position(view.head.revision), of: name)
            forgetReferences(notIn: issuer, outgoing)
            log.info(
                "another agent has changed an issuer",
                metadata: ["issuer": "\(name)", "generation": "\(issuer.generation)", "kid": "\(signing.key.kid)"])
        } catch {
            keepBack(issuer, as: .keysNotShown(issuer.ring.published.map(\.kid)), because: error)
        }
    }

    private func isNews(_ issuer: Issuer) -> Bool {
        let known = max(issuers[issuer.name]?.generation ?? 0, formerGenerations[issuer.name] ?? 0)
        return issuer.generation > known
    }

    /// Whether the issuer is as it is known, and waits for the token to show its keys.
    private func isUnproven(_ issuer: Issuer) -> Bool {
        standing.storeDoubts[issuer.name]?.isOfStore == false && issuer.generation == issuers[issuer.name]?.generation
    }

    var waitsForToken: Bool { shared.isAnyUnproven }

    /// An issuer that is shown, and not in the store.
    private func takeAbsence(of issuer: Issuer, at view: StoreView, since mark: ViewMark) {
        let name = issuer.name
        guard let now = issuers[name], !shared.hasChanged(name, since: mark) else { return }
        guard let former = view.contents.formerGenerations[name], former >= now.generation else {
            return standing.doubt(name, .storeWentBack("an issuer is gone from it that was not deleted"))
        }
        references[now.ring.active?.kid ?? ""]?.limit(to: 0)
        formerGenerations[name] = former
        show(nil, nil, named: name)
        for key in now.ring.published { forgetReference(to: key.kid) }
        standing.doubt(name, nil)
        shared.noteProven(name)
        log.notice("another agent has deleted an issuer", metadata: ["issuer": "\(name)"])
    }

    /// A key that signs no more may hand over what was under way with it for as long as the store had confirmed it; one that was
    /// revoked, nothing.
    private func limit(_ outgoing: KeyReference?, in issuer: Issuer) {
        guard let outgoing, outgoing.kid != issuer.ring.active?.kid else { return }
        outgoing.limit(to: issuer.ring[outgoing.kid]?.state.isPublished == true ? (fleet?.fence.until ?? .max) : 0)
    }

    private func forgetReferences(notIn issuer: Issuer, _ outgoing: KeyReference?) {
        for key in issuer.ring.keys where !key.state.isPublished { forgetReference(to: key.kid) }
        if let outgoing, issuer.ring[outgoing.kid] == nil { forgetReference(to: outgoing.kid) }
    }

    /// As `keysNotHeld(of:)`. A token that several processes or machines use may show a moment later what another one has made.
    private func keysNotShown(of issuer: Issuer) async throws -> [SigningKey] {
        for pause in shared.isUnproven(issuer.name) ? [] : [30, 60, 120] {
            let lacking = try await keysNotHeld(of: issuer)
            if lacking.isEmpty { return [] }
            try? await Task.sleep(for: .milliseconds(pause))
        }
        return try await keysNotHeld(of: issuer)
    }

    /// The published keys that the token does not show to hold as the custody rules want it: whoever can write to the store could
    /// have put them there.
    private func keysNotHeld(of issuer: Issuer) async throws -> [SigningKey] {
        var lacking: [SigningKey] = []
        for key in issuer.ring.published where key.lostAt == nil && !shared.isHeld(key.kid) {
            let held = try await custody.heldKey(key.keyID, labelled: label(of: issuer.name), for: key.algorithm)
            if held?.kid == key.kid, held?.publicKey == key.publicKey {
                shared.noteHeld(key.kid)
                if !isTokenProven { await noteProven() }
            } else {
                lacking.append(key)
            }
        }
        return lacking
    }

    /// Looks at the store until the issuer is as it has it, which a token may hold up that shows late what another agent has made.
    func lookUntilProven(_ name: IssuerName, _ fleet: StoreFollower) async {
        for _ in 0..<8 {
            await fleet.look()
            guard shared.isUnproven(name) else { return }
            try? await Task.sleep(for: .milliseconds(250))
        }
    }

    /// What the store has of an issuer is not shown. What was before goes on for a few seconds, if the same key signs: the token may
    /// show late what another agent has made. Then nothing is signed.
    private func keepBack(_ issuer: Issuer, as why: Quarantine, because error: (any Error)? = nil) {
        let name = issuer.name
        let isSameKey = issuers[name]?.ring.active?.kid == issuer.ring.active?.kid
        let isNew = issuer.generation != issuers[name]?.generation
        let isPatient = shared.noteUnproven(name, at: clock.monotonicSeconds) && isSameKey && isNew
        fleet?.progress.keptBack(name.text, isSigning: isPatient, published: Set(issuer.ring.published.map(\.kid)))
        guard !isPatient else { return }
        let isNews = standing.storeDoubts[name] == nil
        limit(references[issuers[name]?.ring.active?.kid ?? ""], in: issuer)
        standing.doubt(name, why)
        board.setRefusal(standing.refusal(of: name), for: name.text)
        guard isNews else { return }
        log.error(
            "an issuer is not gone by as the store has it: nothing new of it is published, and nothing is signed for it",
            metadata: [
                "issuer": "\(name)", "generation": "\(issuer.generation)",
                "kids": "\(issuer.ring.published.map(\.kid).joined(separator: " "))",
                "reason": "\(error.map { "\($0)" } ?? why.reason)", "hint": "\(why.hint)",
            ])
    }

    /// Looks how the token holds every published key, at once: nothing is published before.
    func proveCustody() async {
        guard fleet != nil, standing.isChecked else { return }
        let published = allIssuers.flatMap { issuer in
            issuer.ring.published.filter { $0.lostAt == nil && !shared.isHeld($0.kid) }
        }
        let shown = standing.lastPlan?.wholeKeys ?? []
        let held = await custody.heldAsWanted(published.map(\.keyID).filter(shown.contains))
        for key in published where held.contains(key.keyID) { shared.noteHeld(key.kid) }
        for issuer in allIssuers {
            let lacking = issuer.ring.published.filter { $0.lostAt == nil && !shared.isHeld($0.kid) }
            if lacking.isEmpty {
                // What the store has further on is not gone by yet: that the token shows the keys of what was before says nothing of it.
                guard !shared.isBehind(issuer) else { continue }
                shared.noteProven(issuer.name)
                if case .keysNotShown = standing.storeDoubts[issuer.name] { standing.doubt(issuer.name, nil) }
            } else {
                keepBack(issuer, as: .keysNotShown(lacking.map(\.kid)))
            }
        }
        showRefusals()
    }

    /// Tells the fleet what this agent goes by from now on.
    func noteShown(_ issuer: Issuer?, named name: IssuerName, outgoing: KeyReference?) {
        guard let fleet else { return }
        let published = (issuer?.ring.published ?? []).filter { $0.lostAt == nil }.compactMap { try? reference(to: $0) }
        let generation = issuer.flatMap { $0.isServed ? $0.generation : nil }
        fleet.progress.shown(name.text, generation: generation, published: published, outgoing: outgoing)
        if let outgoing { fleet.drain(outgoing, of: name.text) }
    }
}

// MARK: - Work that any agent may do

extension IssuerRegistry {
    /// Seconds by which this agent is later than the others with what time makes due of an issuer: three agents that find it due at
    /// the same moment need not all try.
    func lateness(of name: IssuerName) -> Int64 {
        guard let fleet else { return 0 }
        var sum: UInt64 = 14_695_981_039_346_656_037
        for byte in "\(fleet.member.id)/\(name)".utf8 { sum = (sum ^ UInt64(byte)) &* 1_099_511_628_211 }
        return Int64((sum >> 32) % 6)
    }

    /// Looks after what is left to do for issuers and has not been done by the agent that made the change.
    func lookAfterNeglected() async {
        guard let fleet, standing.isChecked else { return }
        let roster = await fleet.roster
        shared.clockDifferences = roster.clockDifferences(of: fleet.member.incarnation)
        guard roster.isKnown else { return }
        await lookForLeftRevocations(among: allIssuers.filter { $0.revoking != nil && standing.quarantine(of: $0.name) == nil })
        let orphans = shared.foreignIntents.filter { intent in
            intent.incarnation.map { !roster.incarnations.contains($0) } ?? true
        }
        var names = Set(allIssuers.filter(\.needsStandby).map(\.name))
        names.formUnion(obligations.issuersOfDestructions)
        names.formUnion(orphans.map(\.issuer))
        names = names.filter { standing.quarantine(of: $0) == nil }
        for name in shared.neglected.look(names, lateness: lateness, at: clock.monotonicSeconds) {
            for intent in orphans where intent.issuer == name {
                obligations.noteIntent(intent)
                shared.drop(intent: intent.keyID)
            }
            await enqueueFollowUp(name)
        }
    }

    /// Runs the making of a standby key, unless another agent is at it.
    func claimingStandby(of name: IssuerName, _ make: () async throws -> Void) async throws {
        guard let fleet else { return try await make() }
        guard try await fleet.store.claimStandby(of: name) else { return }
        do {
            // The one that had the claim before may have published one.
            await fleet.look()
            if issuers[name]?.needsStandby == true { try await make() }
            try? await fleet.store.releaseStandby(of: name)
        } catch {
            try? await fleet.store.releaseStandby(of: name)
            throw error
        }
    }
}

// MARK: - Settling

extension IssuerRegistry {
    /// Waits a moment until the latest change of an issuer, which takes nothing back, counts for every agent.
    ///
    /// - Returns: `nil` where the store is this agent's alone.
    func settleBriefly(_ name: IssuerName) async -> FleetSettlement? {
        await settle(name, limit: fleet?.limits.brief)
    }

    /// A revision that has become known just now.
    func position(_ revision: Int64) -> StorePosition {
        StorePosition(revision: revision, knownAt: clock.monotonic())
    }

    /// Waits until a change counts for every agent: the latest one of the issuer, unless one is given.
    ///
    /// - Parameters:
    ///   - limit: after which it is told which do not yet; `nil` waits for all.
    ///   - generation: with which something of the issuer is published no more, if that is to be told of its frontends.
    /// - Returns: `nil` where the store is this agent's alone.
    func settle(
        _ name: IssuerName, at place: StorePosition? = nil, limit: Duration? = nil, withdrawing generation: Int? = nil
    ) async -> FleetSettlement? {
        guard let fleet, let place = place ?? shared.position(of: name) else { return nil }
        return await fleet.settle(
            name.text, revision: place.revision, committedAt: place.knownAt, limit: limit, withdrawing: generation)
    }

    /// Has the keys of a deleted issuer destroyed, and waits until no agent signs by them and, for a moment, until no frontend serves
    /// anything of it any more.
    func settleDeletion(of issuer: Issuer) async -> (settlement: FleetSettlement?, areKeysDestroyed: Bool?) {
        guard fleet != nil else { return (issuer.isServed ? await withdrawal(of: issuer) : nil, nil) }
        let name = issuer.name
        try? await queue.run(name) { try await self.destroyPending(of: name, isAwaited: true) }
        let isLeft = !obligations.destructions(of: name).isEmpty
        return (await settle(name, withdrawing: issuer.isServed ? issuer.generation : nil), !isLeft)
    }

    /// Waits until every agent that is there can use a published key, a second at most.
    func readiness(of name: IssuerName, kid: String) async -> FleetReadiness? {
        guard let fleet, let place = shared.position(of: name) else { return nil }
        return await fleet.awaitReadiness(name.text, kid: kid, revision: place.revision)
    }
}

extension StoreFollower {
    /// The latest `exp` that any agent may have given a JWT by the active key, were it replaced now: another one goes on with it until
    /// it learns of that, by a clock that differs by a minute at most.
    nonisolated func latestExpiry(of issuer: Issuer, at now: Timestamp) -> Timestamp {
        now + longestStaleness + Int(FleetRoster.clockTolerance) + issuer.settings.maximumLifetime
    }
}
