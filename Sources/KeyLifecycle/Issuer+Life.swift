extension Issuer {
    /// A new issuer, its first key active from the start.
    ///
    /// - Parameters:
    ///   - url: where its documents are served, ending in a slash; `nil` leaves the OIDC profile disabled.
    ///   - former: the last generation of a deleted issuer of this name: a plan made for that one must not fit this one.
    /// - Throws: `LifecycleError` with `.policyInvalid` for settings out of bounds, `.conflict` for another key than they
    ///   want.
    public static func creating(
        _ name: IssuerName, settings: IssuerSettings, url: String?, firstKey: GeneratedKey, former: Int = 0, at moment: Timestamp
    ) throws(LifecycleError) -> IssuerChange {
        try settings.validate()
        try firstKey.require(settings.keySpecification)
        let key = SigningKey(firstKey, state: .active, publishedAt: moment, knownFrom: moment)
        return IssuerChange(
            creating: Issuer(
                name: name, generation: former + 1, createdAt: moment, changedAt: moment, settings: settings,
                profile: url.map { .enabled(url: $0) } ?? .disabled, acceptedIssuers: [], ring: KeyRing(keys: [key]),
                lastRotationAt: nil, maxAgeHorizon: nil))
    }

    /// Ends the issuer: every key revoked, every document gone.
    public func deleting(at moment: Timestamp) -> IssuerChange {
        IssuerChange(deleting: self, at: moment)
    }

    /// Publishes a standby key where one is wanted and missing.
    ///
    /// - Throws: `LifecycleError` with `.conflict` when none is wanted any more, or another one.
    public func publishingStandby(_ key: GeneratedKey, at moment: Timestamp) throws(LifecycleError) -> IssuerChange {
        guard needsStandby else {
            throw LifecycleError(.conflict, "a standby key is not wanted any more", hint: "plan again")
        }
        try key.require(settings.keySpecification)
        return changed(at: moment) { next, moment in next.publish(key, at: moment) }
    }

    /// Retires the retiring key and drops former URLs whose time is over; `nil` when nothing is due.
    public func expiring(at moment: Timestamp) -> IssuerChange? {
        let retires = ring.retiring.flatMap(\.expiresAt).map { $0 <= moment } ?? false
        guard retires || acceptedIssuers.contains(where: { $0.expiresAt <= moment }) else { return nil }
        return changed(at: moment) { next, effective in
            // By the clock as it stands: a last change dated later must end nothing sooner.
            next.acceptedIssuers.removeAll { $0.expiresAt <= moment }
            guard retires, let key = ring.retiring else { return }
            next.ring.update(key.kid) { key in
                key.state = .retired
                key.retiredAt = effective
            }
        }
    }

    /// When the next timed transition is due, rotations by time included; `nil` when none is in sight.
    public var nextDeadline: Timestamp? {
        ([ring.retiring?.expiresAt, nextScheduledRotation, nextAwaitedRotation] + acceptedIssuers.map(\.expiresAt))
            .compactMap(\.self).min()
    }

    mutating func publish(_ key: GeneratedKey, at moment: Timestamp) {
        ring.keys.append(SigningKey(key, state: .standby, publishedAt: moment, knownFrom: cachedUntil(moment)))
    }
}
