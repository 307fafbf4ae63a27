/// A key pair found on the token that an operator vouches for: it comes back as the retiring key.
public struct RetainedKey: Hashable, Sendable {
    public let keyID: KeyID
    public let kid: String
    public let algorithm: SignatureAlgorithm
    /// SubjectPublicKeyInfo, DER.
    public let publicKey: [UInt8]

    public init(keyID: KeyID, kid: String, algorithm: SignatureAlgorithm, publicKey: [UInt8]) {
        self.keyID = keyID
        self.kid = kid
        self.algorithm = algorithm
        self.publicKey = publicKey
    }
}

/// What a store and its token disagree about, for one issuer.
public struct KeyDifference: Hashable, Sendable {
    /// Keys of the ring whose private half the token does not show.
    public var missing: Set<KeyID>
    /// Key pairs the token shows under the issuer's label and the store has never heard of.
    public var unknown: [QuarantinedKey]

    public init(missing: Set<KeyID> = [], unknown: [QuarantinedKey] = []) {
        self.missing = missing
        self.unknown = unknown
    }

    public var isEmpty: Bool { missing.isEmpty && unknown.isEmpty }
}

extension Issuer {
    /// An issuer of a lost store, made anew: a fresh active key, at most one former key as the retiring one, the others in
    /// quarantine.
    ///
    /// - Parameter url: where its documents were served, ending in a slash; `nil` leaves the OIDC profile disabled.
    /// - Throws: `LifecycleError` with `.policyInvalid` for settings out of bounds, `.conflict` for a key of another
    ///   algorithm.
    public static func rebuilding(
        _ name: IssuerName, settings: IssuerSettings, url: String?, firstKey: GeneratedKey, retaining retained: RetainedKey?,
        unknown: [QuarantinedKey], former: Int = 0, at moment: Timestamp
    ) throws(LifecycleError) -> IssuerChange {
        let created = try creating(name, settings: settings, url: url, firstKey: firstKey, former: former, at: moment)
        guard var issuer = created.issuer else { return created }
        if let retained {
            // The ring is in the order of making: the former key is older.
            issuer.ring.keys.insert(issuer.retiring(retained, at: moment), at: 0)
        }
        return IssuerChange(
            creating: issuer, retained: retained?.keyID, quarantined: unknown.filter { $0.keyID != retained?.keyID })
    }

    /// An issuer of a store that is older than its token, put in order: a fresh key signs, at most one key that an operator
    /// vouches for stays valid, and every other key ends. What of these the token still shows goes into quarantine, since
    /// nobody can tell what has been signed with it.
    ///
    /// - Parameter retained: in the ring or unknown to it; one that has ended in the ring cannot come back.
    /// - Throws: `LifecycleError` with `.keyNotFound` for a retained key that has ended or that the token does not show,
    ///   `.conflict` for a fresh key of another algorithm.
    public func recovering(
        with key: GeneratedKey, retaining retained: RetainedKey?, _ difference: KeyDifference, at moment: Timestamp
    ) throws(LifecycleError) -> IssuerChange {
        try key.require(settings.keySpecification)
        if let retained {
            let known = ring[retained.kid]
            guard known.map({ $0.state.isPublished && !difference.missing.contains($0.keyID) }) ?? true else {
                throw .keyNotFound(retained.kid)
            }
        }
        let effective = max(moment, changedAt)
        let ended = ring.published.filter { $0.kid != retained?.kid && $0.lostAt == nil }
        let quarantined =
            ended.filter { !difference.missing.contains($0.keyID) }.map { QuarantinedKey($0, of: name, since: effective) }
            + difference.unknown.filter { $0.keyID != retained?.keyID }
        var next = self
        for key in ring.published where key.kid != retained?.kid {
            next.ring.revoke(key.kid, at: effective)
            if difference.missing.contains(key.keyID) { next.ring.lose(key.kid, at: effective) }
        }
        if let retained { next.bringBack(retained, at: effective) }
        next.activate(key, at: effective)
        let isStranger = retained.map { ring[$0.kid] == nil } ?? false
        return IssuerChange(
            from: self, to: next, at: effective, retained: isStranger ? retained?.keyID : nil, quarantined: quarantined)
    }

    /// An issuer whose token is gone for good: what the active key signed stays valid for the overlap, a key that was retiring
    /// already ends as with a second rotation, and a key generated on another token signs.
    ///
    /// - Throws: `LifecycleError` with `.conflict` for a fresh key of another algorithm.
    public func replacingToken(with key: GeneratedKey, at moment: Timestamp) throws(LifecycleError) -> IssuerChange {
        try key.require(settings.keySpecification)
        let effective = max(moment, changedAt)
        var next = self
        for key in ring.published {
            next.ring.lose(key.kid, at: effective)
            if key.state != .active { next.ring.revoke(key.kid, at: effective) }
        }
        let end = overlapEnd(from: effective)
        let latest = latestExpiry(signingUntil: effective)
        if let active = ring.active {
            next.ring.update(active.kid) { $0.retire(at: effective, until: end, latestExpiry: latest) }
        }
        next.activate(key, at: effective)
        return IssuerChange(from: self, to: next, at: effective)
    }

    /// Until when the active key stays valid if its token is replaced at `moment`.
    public func retirementByReplacement(at moment: Timestamp) -> Timestamp? {
        ring.active.map { _ in overlapEnd(from: max(moment, changedAt)) }
    }

    /// Makes a fresh key the one that signs and goes on to the next generation.
    private mutating func activate(_ key: GeneratedKey, at moment: Timestamp) {
        var active = SigningKey(key, state: .active, publishedAt: moment, knownFrom: cachedUntil(moment))
        active.activatedAt = moment
        ring.keys.append(active)
        lastRotationAt = moment
        rotationRequestedAt = nil
        generation += 1
        changedAt = moment
    }

    private mutating func bringBack(_ retained: RetainedKey, at moment: Timestamp) {
        guard ring[retained.kid] != nil else {
            ring.keys.append(retiring(retained, at: moment))
            return
        }
        let end = retainedEnd(from: moment)
        ring.update(retained.kid) { key in
            key.retire(at: key.retiringAt ?? moment, until: max(end, key.expiresAt ?? end), latestExpiry: key.latestExpiry ?? end)
        }
    }

    private func retiring(_ retained: RetainedKey, at moment: Timestamp) -> SigningKey {
        let end = retainedEnd(from: moment)
        return SigningKey(
            kid: retained.kid, keyID: retained.keyID, algorithm: retained.algorithm, publicKey: retained.publicKey,
            state: .retiring, publishedAt: moment, knownFrom: moment, activatedAt: nil, retiringAt: moment, expiresAt: end,
            latestExpiry: end)
    }

    /// When a key that comes back ends. What it was allowed to sign is not known here, so the longest lifetime there is counts.
    private func retainedEnd(from moment: Timestamp) -> Timestamp {
        moment + max(settings.overlap, IssuerSettings.maximumLifetimeBound)
    }
}

extension KeyRing {
    fileprivate mutating func lose(_ kid: String, at moment: Timestamp) {
        update(kid) { $0.lostAt = $0.lostAt ?? moment }
    }
}

extension SigningKey {
    fileprivate mutating func retire(at moment: Timestamp, until end: Timestamp, latestExpiry latest: Timestamp) {
        state = .retiring
        retiringAt = moment
        expiresAt = end
        latestExpiry = latest
    }
}
