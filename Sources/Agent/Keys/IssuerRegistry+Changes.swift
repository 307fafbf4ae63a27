import IssuerStore
import KeyLifecycle
import Logging

extension IssuerRegistry {
    /// Creates an issuer with its first key; the standby key follows.
    ///
    /// - Throws: `LifecycleError`: `.issuerExists`, `.issuerNameInvalid`, `.policyInvalid`; `HSMError`; `StoreError`.
    func create(_ text: String, settings: IssuerSettings, enabled: Bool) async throws -> Issuer {
        guard let name = IssuerName(text) else {
            throw LifecycleError(
                .issuerNameInvalid, "\"\(text.prefix(64))\" is no issuer name",
                hint: "use 1 to 63 lower-case letters, digits and hyphens, with no hyphen at either end")
        }
        try settings.validate()
        return try await queue.run(name) { try await self.createInTurn(name, settings, enabled) }
    }

    private func createInTurn(_ name: IssuerName, _ settings: IssuerSettings, _ enabled: Bool) async throws -> Issuer {
        try requireServing(name)
        if let standstill = standing.standstill { throw LifecycleError.quarantined(name, standstill) }
        guard issuers[name] == nil else {
            throw LifecycleError.issuerExists(name)
        }
        let key = try await generateKey(for: name, settings.keySpecification)
        do {
            try await commit(
                of: name, with: key,
                try Issuer.creating(
                    name, settings: settings, url: enabled ? urls.mint() : nil, firstKey: key,
                    former: formerGenerations[name] ?? 0,
                    at: clock.wall()))
        } catch let error as StoreError where error.code == .conflict && issuers[name] != nil {
            // Another agent was faster.
            throw LifecycleError.issuerExists(name)
        }
        log.notice("created an issuer", metadata: ["issuer": "\(name)", "kid": "\(key.kid)"])
        return try await enqueueRest(of: name)
    }

    /// Waits for the standby key of a fresh issuer, and for the frontends to serve it, as long as a reply may take.
    ///
    /// - Returns: the issuer then, and who serves it; `nil` without a key that had to be made known.
    func awaitStandby(of created: Issuer) async -> (issuer: Issuer, publication: PublicationOutcome?) {
        let name = created.name
        // Signatures of other issuers are not to wait for it, so it is not boosted.
        await forAtMost(feed.limits.standby) { [queue] in try? await queue.enqueue(name) {}.value }
        guard let issuer = issuers[name] else { return (created, nil) }
        guard issuer.isServed, !issuer.needsStandby else { return (issuer, nil) }
        return (issuer, await publication(of: issuer))
    }

    /// Waits until the frontends serve the issuer as it is, where there is anything to be served.
    func publication(of issuer: Issuer) async -> PublicationOutcome {
        guard issuer.isServed else { return .unserved }
        return await feed.awaitPublication(of: issuer.name.text, generation: issuer.generation)
    }

    /// Updates an issuer by what `decide` makes of it as it is then.
    ///
    /// - Returns: the issuer before and after.
    /// - Throws: `LifecycleError`: `.issuerNotFound`, `.conflict`, `.policyInvalid`; `HSMError`; `StoreError`.
    func update(
        _ text: String, ifGeneration expected: Int?, _ decide: @escaping @Sendable (Issuer, String) throws -> IssuerUpdate
    ) async throws -> (before: Issuer, after: Issuer) {
        let name = try issuer(named: text).name
        return try await queue.run(name) {
            try await self.planningAgain { try await self.updateInTurn(name, expected, decide) }
        }
    }

    private func updateInTurn(
        _ name: IssuerName, _ expected: Int?, _ decide: @Sendable (Issuer, String) throws -> IssuerUpdate
    ) async throws -> (before: Issuer, after: Issuer) {
        let before = try servingIssuer(named: name.text)
        try before.require(generation: expected)
        let update = try decide(before, urls.mint())
        try update.settings?.validate()
        let wanted = (update.settings ?? before.settings).keySpecification
        // Also where no key is generated now: what the token lacks is refused before it is wanted.
        if wanted != before.settings.keySpecification { try await custody.requireMechanisms(for: wanted, urgency: .awaited) }
        let fresh = before.needsFreshStandby(for: update) ? try await generateKey(for: name, wanted) : nil
        let moment = board.freeze(name.text, clock: clock)
        defer { board.thaw(name.text) }
        let change: IssuerChange?
        do {
            change = try accountingForSignatures(before).updating(update, freshStandby: fresh, at: moment)
        } catch {
            if let fresh { await settle(fresh.keyID, of: name) }
            throw error
        }
        guard let change else { return (before, before) }
        if let fresh { try await commit(of: name, with: fresh, change) } else { try await commit(change) }
        log.notice("updated an issuer", metadata: ["issuer": "\(name)", "generation": "\(before.generation + 1)"])
        return (before, try await enqueueRest(of: name))
    }

    /// Deletes an issuer and returns it as it was.
    ///
    /// - Throws: `LifecycleError`: `.issuerNotFound`, `.conflict`; `StoreError`.
    func delete(_ text: String, ifGeneration expected: Int?) async throws -> Issuer {
        let name = try issuer(named: text).name
        return try await queue.run(name) { try await self.deleteOrFindDeleted(name, expected) }
    }

    /// As `deleteInTurn`. What another agent has deleted at the same moment is deleted.
    private func deleteOrFindDeleted(_ name: IssuerName, _ expected: Int?) async throws -> Issuer {
        var asked: Issuer?
        return try await planningAgain {
            if let asked, issuers[name] == nil { return asked }
            asked = issuers[name]
            return try await deleteInTurn(name, expected)
        }
    }

    private func deleteInTurn(_ name: IssuerName, _ expected: Int?) async throws -> Issuer {
        let issuer = try servingIssuer(named: name.text)
        try issuer.require(generation: expected)
        let committed = try await commit(issuer.deleting(at: clock.wall()))
        await committed.former?.use.drained()
        await enqueueFollowUp(name)
        log.notice("deleted an issuer", metadata: ["issuer": "\(name)"])
        return issuer
    }

    /// Queues what a change left to do, so that it happens before anything a caller asks for after the reply.
    ///
    /// - Returns: the issuer as it is now.
    func enqueueRest(of name: IssuerName) async throws -> Issuer {
        let issuer = try issuer(named: name.text)
        if issuer.needsStandby || !obligations.destructions(of: name).isEmpty {
            await enqueueFollowUp(name)
        }
        return issuer
    }

    /// Mints URLs under the origin of a configuration that was read again; URLs in force stay.
    func adopt(_ read: @Sendable () async throws -> ReloadedConfiguration) async throws -> ReloadedConfiguration {
        var reloaded = try await read()
        guard urls.move(to: reloaded.publicBaseURL) else { return reloaded }
        reloaded.issuersElsewhere = urls.elsewhere(among: allIssuers)
        if !reloaded.issuersElsewhere.isEmpty {
            log.warning(
                "issuers stay on the URLs they have, which are not under the publicBaseURL of the configuration",
                metadata: [
                    "publicBaseURL": "\(urls.publicBaseURL)",
                    "issuers": "\(reloaded.issuersElsewhere.map(\.text).joined(separator: " "))",
                    "hint": "mint new ones with: privyseal issuer update NAME --new-issuer-url",
                ])
        }
        return reloaded
    }
}
