extension Issuer {
    /// Plans `rotate`: the standby key takes over and the active key retires. A key that is retiring already is revoked,
    /// and then a fresh key takes over: only a kid that nobody has seen makes relying parties fetch the JWKS anew.
    ///
    /// - Parameters:
    ///   - whenSafe: has the incoming key sign once no relying party can be surprised by it.
    ///   - revokes: false refuses to revoke a key that is retiring.
    /// - Throws: `LifecycleError` with `.conflict` when `expected` is not the current generation, `.wouldRevoke`.
    public func planningRotation(
        at moment: Timestamp, ifGeneration expected: Int? = nil, whenSafe: Bool = false, knownBy: Timestamp? = nil,
        revokes: Bool = true
    ) throws(LifecycleError) -> RotationPlan {
        try require(generation: expected)
        if !revokes, let retiring = ring.retiring { throw .wouldRevoke(retiring) }
        if whenSafe { return awaitingRotation(at: moment, knownBy: knownBy) }
        if ring.retiring != nil { return revokingRotation(at: moment) }
        if let standby = ring.standby {
            return plan(
                at: moment, incoming: .standby(kid: standby.kid, algorithm: standby.algorithm), activeRetires: true,
                revoked: [], isRevoking: false)
        }
        return plan(
            at: moment, incoming: .fresh(settings.keySpecification), activeRetires: true, revoked: [], isRevoking: false)
    }

    /// Plans `revoke-key` for one published key.
    ///
    /// The active key: a fresh key takes over and a retiring key stays. The retiring or the standby key: as a second
    /// rotation inside the overlap.
    /// - Parameter canGenerate: false once a fresh key could not be had. The revocation goes ahead with the standby key.
    /// - Throws: `LifecycleError` with `.keyNotFound` for a kid that is not published, `.conflict` for another generation,
    ///   `.noKeyLeft` when no key would be left to sign.
    public func planningRevocation(
        of kid: String, at moment: Timestamp, ifGeneration expected: Int? = nil, canGenerate: Bool = true
    ) throws(LifecycleError) -> RotationPlan {
        try require(generation: expected)
        guard let key = ring[kid], key.state.isPublished else {
            throw .keyNotFound(kid)
        }
        // Its key has been made and published before.
        if let plan = endingRevocation(of: kid, at: moment) { return plan }
        return switch (key.state, canGenerate) {
        case (.active, true): revokingActive(kid, at: moment)
        case (.active, false): try promotingStandbyForRevoked(kid, at: moment)
        case (.standby, false): discardingStandby(kid, at: moment)
        case (_, false): promotingStandbyOrStaying(revoking: kid, at: moment)
        case (_, true): revokingRotation(at: moment)
        }
    }

    /// A published standby key for the plan, in place of the present one.
    ///
    /// - Parameters:
    ///   - kid: the key that is ordered to be revoked, if the plan is for such an order: it is noted as begun.
    ///   - initiator: whose order it is.
    /// - Throws: `LifecycleError` with `.conflict` when the plan was made for another generation, or wants no key or another one.
    public func publishingFresh(
        _ key: GeneratedKey, for plan: RotationPlan, revoking kid: String? = nil, by initiator: BegunRevocation.Initiator? = nil,
        at moment: Timestamp
    ) throws(LifecycleError) -> IssuerChange {
        try require(plan)
        guard let wanted = plan.freshKey else {
            throw LifecycleError(.conflict, "the plan wants no fresh key", hint: "execute it as it stands")
        }
        try key.require(wanted)
        return changed(at: moment) { next, moment in
            if let standby = next.ring.standby { next.ring.revoke(standby.kid, at: moment) }
            next.publish(key, at: moment)
            if let kid { next.begin(revoking: kid, successor: key.kid, by: initiator, at: moment) }
        }
    }

    /// The plan as it stands once its fresh key has been published, which was a change of its own. A standby key discarded
    /// by that change is still among the revoked.
    public func continuing(_ plan: RotationPlan, withPublished kid: String, at moment: Timestamp) -> RotationPlan {
        self.plan(
            at: moment, incoming: .standby(kid: kid, algorithm: ring[kid]?.algorithm ?? settings.algorithm),
            activeRetires: plan.retiring.map { $0.kid == ring.active?.kid } ?? false,
            revoked: plan.revoked.filter { ring[$0]?.state != .retired }, isRevoking: plan.isRevoking, isUnseen: true)
    }

    /// Carries a plan out.
    ///
    /// - Throws: `LifecycleError` with `.conflict` when the plan was made for another generation, still wants a key
    ///   generated, has to wait, or was continued on a ring in which its fresh key is not the standby key any more.
    public func executing(_ plan: RotationPlan) throws(LifecycleError) -> IssuerChange {
        try require(plan)
        guard plan.freshKey == nil else {
            throw LifecycleError(.conflict, "the plan wants a fresh key first", hint: "generate and publish it, then go on")
        }
        guard plan.signsFrom == nil else {
            throw LifecycleError(.conflict, "the plan waits until nobody can be surprised", hint: "have it wait")
        }
        // An ended key must not come back.
        if case .standby(let kid, _) = plan.incoming, ring.standby?.kid != kid {
            throw LifecycleError(.conflict, "the key \(kid) is not the standby key any more", hint: "plan again")
        }
        return changed(at: plan.at) { next, moment in
            for kid in plan.revoked { next.ring.revoke(kid, at: moment) }
            if plan.cancelsWaiting || plan.incoming != nil { next.rotationRequestedAt = nil }
            guard case .standby(let kid, _) = plan.incoming else { return }
            if let retiring = plan.retiring {
                next.ring.update(retiring.kid) { key in
                    guard key.state == .active else { return }
                    key.state = .retiring
                    key.retiringAt = moment
                    key.latestExpiry = latestExpiry(signingUntil: moment)
                    key.expiresAt = retiring.expiresAt
                }
            }
            next.ring.update(kid) { key in
                key.state = .active
                key.activatedAt = moment
            }
            next.lastRotationAt = moment
        }
    }

    /// - Throws: `LifecycleError` with `.conflict` unless the plan was made for this issuer and its current generation.
    func require(_ plan: RotationPlan) throws(LifecycleError) {
        guard plan.issuer == name else {
            throw LifecycleError(.conflict, "the plan is for the issuer \(plan.issuer)", hint: "plan again")
        }
        try require(generation: plan.generation)
    }
}

// MARK: - The kinds of plan

extension Issuer {
    /// The active key retires, what is retiring or standby is revoked, a fresh key takes over.
    private func revokingRotation(at moment: Timestamp) -> RotationPlan {
        plan(
            at: moment, incoming: .fresh(settings.keySpecification), activeRetires: true,
            revoked: [ring.retiring, ring.standby].compactMap { $0?.kid }, isRevoking: true)
    }

    private func revokingActive(_ kid: String, at moment: Timestamp) -> RotationPlan {
        plan(
            at: moment, incoming: .fresh(settings.keySpecification), activeRetires: false,
            revoked: [kid] + [ring.standby].compactMap { $0?.kid }, isRevoking: true)
    }

    private func promotingStandbyForRevoked(_ kid: String, at moment: Timestamp) throws(LifecycleError) -> RotationPlan {
        guard let standby = ring.standby else {
            throw LifecycleError(
                .noKeyLeft, "no key can be generated and there is no standby key, so revoking \(kid) would leave none to sign",
                hint: "try again once the HSM can generate keys, or delete the issuer")
        }
        return plan(
            at: moment, incoming: .standby(kid: standby.kid, algorithm: standby.algorithm), activeRetires: false,
            revoked: [kid], isRevoking: true)
    }

    /// Without a fresh key, the standby key takes over from the active one where there is a standby key.
    private func promotingStandbyOrStaying(revoking kid: String, at moment: Timestamp) -> RotationPlan {
        let incoming = ring.standby.map { RotationPlan.Incoming.standby(kid: $0.kid, algorithm: $0.algorithm) }
        return plan(at: moment, incoming: incoming, activeRetires: incoming != nil, revoked: [kid], isRevoking: true)
    }

    private func discardingStandby(_ kid: String, at moment: Timestamp) -> RotationPlan {
        plan(at: moment, incoming: nil, activeRetires: false, revoked: [kid], isRevoking: true)
    }

    /// - Parameters:
    ///   - isUnseen: whether a standby key was published for this plan.
    ///   - signsFrom: when the incoming key signs, if not at once.
    func plan(
        at moment: Timestamp, incoming: RotationPlan.Incoming?, activeRetires: Bool, revoked: [String], isRevoking: Bool,
        isUnseen: Bool = false, signsFrom: Timestamp? = nil, cancelsWaiting: Bool = false
    ) -> RotationPlan {
        let effective = max(moment, changedAt)
        let stays = ring.retiring.flatMap { revoked.contains($0.kid) ? nil : $0 }
        let kept = stays.flatMap { key in key.expiresAt.map { RotationPlan.Retiring(kid: key.kid, expiresAt: $0) } }
        var isFresh = isUnseen
        if case .fresh = incoming { isFresh = true }
        let exposures = exposures(
            of: incoming, isUnseen: isFresh, isRevoking: isRevoking, signsFrom: signsFrom, at: effective)
        let longest = exposures.flatMap { [$0.refusesNew, $0.acceptsRevoked] }.max() ?? 0
        return RotationPlan(
            issuer: name, generation: generation, at: effective, incoming: incoming,
            algorithmChange: algorithmChange(to: incoming, isUnseen: isFresh),
            retiring: activeRetires ? retirement(at: signsFrom ?? effective) : kept, revoked: revoked, signsFrom: signsFrom,
            cancelsWaiting: cancelsWaiting, isRevoking: isRevoking,
            standbyFollows: settings.standby && (incoming != nil || revoked.contains { $0 == ring.standby?.kid }),
            exposure: max(longest, signsFrom == nil ? exposure(of: incoming, isRevoking: isRevoking, at: effective) : 0),
            exposures: exposures)
    }

    private func algorithmChange(to incoming: RotationPlan.Incoming?, isUnseen: Bool) -> RotationPlan.AlgorithmChange? {
        guard let incoming, let from = ring.active?.algorithm else { return nil }
        let (to, publishedAt) =
            switch incoming {
            case .standby(let kid, let algorithm): (algorithm, isUnseen ? nil : ring[kid]?.publishedAt)
            case .fresh(let specification): (specification.algorithm, nil as Timestamp?)
            }
        return from == to ? nil : RotationPlan.AlgorithmChange(from: from, to: to, publishedAt: publishedAt)
    }

    private func retirement(at moment: Timestamp) -> RotationPlan.Retiring? {
        ring.active.map { RotationPlan.Retiring(kid: $0.kid, expiresAt: overlapEnd(from: max(moment, changedAt))) }
    }

    /// A known standby key and no revocation: no relying party is surprised. Otherwise, until caches have run out.
    private func exposure(of incoming: RotationPlan.Incoming?, isRevoking: Bool, at moment: Timestamp) -> Int {
        if isRevoking { return cachedUntil(moment) - moment }
        switch incoming {
        case .standby(let kid, _): return max((ring[kid]?.knownFrom ?? moment) - moment, 0)
        case .fresh: return cachedUntil(moment) - moment
        case nil: return 0
        }
    }
}

// MARK: - By time

extension Issuer {
    /// When the next scheduled rotation may go ahead: its interval over, no key retiring, the standby key surprising nobody.
    /// `nil` without a schedule, or while a standby key is missing.
    public var nextScheduledRotation: Timestamp? {
        guard let every = settings.rotateEvery, let standby = ring.standby else { return nil }
        let due = (lastRotationAt ?? createdAt) + every
        return [due, standby.surprisesNobodyFrom, ring.retiring?.expiresAt ?? due].max()
    }

    /// The plan of a rotation that time has made due, by schedule or because it has waited long enough; `nil` otherwise. It
    /// never revokes a valid key.
    public func planningDueRotation(at moment: Timestamp) -> RotationPlan? {
        guard let due = [nextScheduledRotation, nextAwaitedRotation].compactMap(\.self).min(), due <= moment,
            ring.retiring == nil, let standby = ring.standby
        else { return nil }
        return plan(
            at: moment, incoming: .standby(kid: standby.kid, algorithm: standby.algorithm), activeRetires: true,
            revoked: [], isRevoking: false)
    }
}
