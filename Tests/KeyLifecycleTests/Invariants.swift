import KeyLifecycle

/// What may end in a change, by what was asked for.
enum Endings {
    /// Nothing valid: a standby key at most.
    case standbyOnly
    /// The retiring key, its overlap over, and former URLs.
    case expired
    /// What was revoked.
    case revoked
    case everything
}

/// What must hold after every change of an issuer, whatever was asked for and whatever the clock showed.
struct Invariants {
    private var timesDestroyed: [String: Int] = [:]
    private(set) var violations: [String] = []

    /// Judges one commit.
    ///
    /// - Parameters:
    ///   - moment: the clock's reading that the change was asked with.
    ///   - issued: what relying parties hold.
    ///   - dropsURLs: whether former URLs were to go at once.
    mutating func judge(
        _ change: IssuerChange, from before: Issuer?, asked endings: Endings, at moment: Timestamp, issued: IssuanceRecord,
        dropsURLs: Bool
    ) {
        judgeGeneration(change, from: before)
        judgeDestruction(change, from: before, endings)
        guard let after = change.issuer else { return }
        judgeRing(after)
        judgeTransitions(after, from: before, endings, at: moment, issued: issued)
        judgeOverlap(after, issued: issued)
        if let before, !dropsURLs { judgeDroppedURLs(after, from: before, at: moment, issued: issued) }
    }

    private mutating func judgeGeneration(_ change: IssuerChange, from before: Issuer?) {
        require(change.expectedGeneration == before?.generation, "the change starts from another generation")
        if let before { require(change.at >= before.changedAt, "the change is dated before the last one") }
        guard let after = change.issuer else { return }
        require(after.generation == (before?.generation ?? 0) + 1, "the generation is not one on")
        require(after.changedAt == change.at, "changedAt is not the moment of the change")
        require(before.map { $0.createdAt == after.createdAt && $0.name == after.name } ?? true, "another issuer came out")
    }

    private mutating func judgeRing(_ issuer: Issuer) {
        let keys = issuer.ring.keys
        func count(_ state: KeyState) -> Int { keys.count { $0.state == state } }
        require(count(.active) == 1, "\(count(.active)) keys are active")
        require(count(.retiring) <= 1, "\(count(.retiring)) keys are retiring")
        require(count(.standby) <= 1, "\(count(.standby)) keys are standby")
        require(issuer.ring.violations.isEmpty, "the ring finds fault with itself: \(issuer.ring.violations)")
        let published = issuer.ring.published
        require(
            published.allSatisfy { $0.state != .retired && $0.state != .revoked }, "an ended key is published")
        require(
            Set(kids(published)) == Set(kids(keys.filter { [.active, .retiring, .standby].contains($0.state) })),
            "the published keys are not the standby, active and retiring ones")
        require(issuer.ring.active.map { kids(published).contains($0.kid) } == true, "the signing key is not published")
        for key in published where (timesDestroyed[key.kid] ?? 0) > 0 {
            require(false, "the private key of \(key.kid) is destroyed while it is \(key.state)")
        }
    }

    private mutating func judgeTransitions(
        _ after: Issuer, from before: Issuer?, _ endings: Endings, at moment: Timestamp, issued: IssuanceRecord
    ) {
        for old in before?.ring.keys ?? [] {
            guard let new = after.ring[old.kid] else {
                require(false, "\(old.kid) is forgotten")
                continue
            }
            if old.state == new.state {
                require(
                    old.expiresAt == new.expiresAt && old.retiredAt == new.retiredAt && old.revokedAt == new.revokedAt,
                    "\(old.kid) stays \(old.state) and has other times")
                continue
            }
            let allowed: [KeyState] =
                switch old.state {
                case .standby: [.active, .revoked]
                case .active: [.retiring, .revoked]
                case .retiring: [.retired, .revoked]
                case .retired, .revoked: []
                }
            require(allowed.contains(new.state), "\(old.kid) went from \(old.state) to \(new.state)")
            if new.state == .retired {
                require(old.expiresAt.map { $0 <= moment } == true, "\(old.kid) retired before its end")
                require(
                    issued.latestExpiry[old.kid].map { $0 <= moment } ?? true, "\(old.kid) retired under a JWT that lives")
            }
        }
        for new in after.ring.keys where before?.ring[new.kid] == nil {
            require(new.state == (before == nil ? .active : .standby), "\(new.kid) enters the ring \(new.state)")
        }
    }

    private mutating func judgeDestruction(_ change: IssuerChange, from before: Issuer?, _ endings: Endings) {
        let unpublished = (before?.ring.published ?? []).filter { change.issuer?.ring[$0.kid]?.state.isPublished != true }
        require(
            kids(change.destroyed).sorted() == kids(unpublished).sorted(), "destroyed is not what left publication")
        for key in change.destroyed {
            timesDestroyed[key.kid, default: 0] += 1
            require(timesDestroyed[key.kid] == 1, "\(key.kid) is destroyed again")
            let allowed: [KeyState] =
                switch endings {
                case .standbyOnly: [.standby]
                case .expired: [.retiring]
                case .revoked, .everything: [.standby, .active, .retiring]
                }
            require(allowed.contains(key.state), "\(key.kid) was \(key.state) and is destroyed unasked")
        }
    }

    /// Nothing that verifies a JWT goes before the JWT.
    private mutating func judgeOverlap(_ issuer: Issuer, issued: IssuanceRecord) {
        if let key = issuer.ring.retiring, let expiry = issued.latestExpiry[key.kid] {
            require(key.expiresAt.map { $0 >= expiry } == true, "\(key.kid) retires before a JWT it signed expires")
        }
        for former in issuer.acceptedIssuers {
            for (kid, expiry) in issued.latestExpiryByURL[former.url] ?? [:]
            where issuer.ring[kid]?.state.isPublished == true {
                require(former.expiresAt >= expiry, "\(former.url) goes before a JWT of \(kid) that names it")
            }
        }
    }

    private mutating func judgeDroppedURLs(
        _ after: Issuer, from before: Issuer, at moment: Timestamp, issued: IssuanceRecord
    ) {
        let served = Set(after.acceptedIssuers.map(\.url) + [after.issuerURL])
        for former in before.acceptedIssuers where !served.contains(former.url) {
            require(former.expiresAt <= moment, "\(former.url) went before its time")
        }
        if case .enabled(let url) = before.profile {
            require(served.contains(url), "\(url) went without an overlap")
        }
    }

    /// Takes up what was found wrong besides a change.
    mutating func report(_ violation: String) {
        violations.append(violation)
    }

    private mutating func require(_ holds: Bool, _ violation: @autoclosure () -> String) {
        if !holds { violations.append(violation()) }
    }
}
