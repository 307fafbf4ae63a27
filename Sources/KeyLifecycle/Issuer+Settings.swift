/// What an update changes of an issuer; what is `nil` stays.
public struct IssuerUpdate: Hashable, Sendable {
    public var settings: IssuerSettings?
    /// `true` enables the OIDC profile, `false` disables it.
    public var enabled: Bool?
    /// Whether an enabled profile moves to `freshURL`.
    public var renewsURL: Bool
    /// The URL to enable under, minted for this update.
    public var freshURL: String
    /// Drops former URLs at once instead of after the overlap.
    public var immediately: Bool

    public init(settings: IssuerSettings?, enabled: Bool?, renewsURL: Bool = false, freshURL: String, immediately: Bool) {
        self.settings = settings
        self.enabled = enabled
        self.renewsURL = renewsURL
        self.freshURL = freshURL
        self.immediately = immediately
    }
}

extension Issuer {
    /// Whether the update needs a generated key to replace the standby key.
    public func needsFreshStandby(for update: IssuerUpdate) -> Bool {
        guard let settings = update.settings, settings.standby || rotationRequestedAt != nil else { return false }
        return settings.keySpecification != self.settings.keySpecification
    }

    /// Changes settings and profile in one step; `nil` when that changes nothing.
    ///
    /// A profile that is enabled or disabled already stays as it is, URL included unless that is to be renewed.
    /// - Parameter freshStandby: with a new algorithm or length of keys, the key that replaces the standby key at once.
    /// - Throws: `LifecycleError` with `.policyInvalid` for settings out of bounds or a URL to be renewed where there is none,
    ///   `.conflict` for another `freshStandby` than the settings want.
    public func updating(
        _ update: IssuerUpdate, freshStandby: GeneratedKey? = nil, at moment: Timestamp
    ) throws(LifecycleError) -> IssuerChange? {
        try update.settings?.validate()
        try freshStandby?.require((update.settings ?? settings).keySpecification)
        if update.renewsURL { try requireURL(update) }
        let change = changed(at: moment) { next, moment in
            if let enabled = update.enabled { next.setProfile(enabled: enabled, freshURL: update.freshURL, at: moment) }
            if update.renewsURL {
                next.leaveURL(at: moment)
                next.profile = .enabled(url: update.freshURL)
            }
            if update.immediately { next.acceptedIssuers = [] }
            if let settings = update.settings { next.apply(settings, freshStandby: freshStandby, at: moment) }
        }
        return change.issuer.map(differsFromNow) == true ? change : nil
    }

    private func differsFromNow(_ next: Issuer) -> Bool {
        next.settings != settings || next.profile != profile || next.acceptedIssuers != acceptedIssuers || next.ring != ring
    }

    private func requireURL(_ update: IssuerUpdate) throws(LifecycleError) {
        guard case .enabled = profile, update.enabled == nil else {
            throw LifecycleError(
                .policyInvalid, "a new URL is for an issuer whose OIDC profile is enabled and stays so",
                hint: "enabling the profile mints one: issuer update --enable-oidc-issuer")
        }
    }

    private mutating func setProfile(enabled: Bool, freshURL: String, at moment: Timestamp) {
        switch (profile, enabled) {
        case (.disabled, true):
            profile = .enabled(url: freshURL)
        case (.enabled, false):
            leaveURL(at: moment)
            profile = .disabled
        case (.disabled, false), (.enabled, true):
            break
        }
    }

    /// From now on the URL is a former one, served until what was issued under it has expired.
    private mutating func leaveURL(at moment: Timestamp) {
        guard case .enabled(let url) = profile else { return }
        // What the retiring key signed carries the URL too.
        let expiresAt = max(overlapEnd(from: moment), ring.retiring?.latestExpiry ?? moment)
        acceptedIssuers.append(AcceptedIssuer(url: url, expiresAt: expiresAt))
    }

    private mutating func apply(_ new: IssuerSettings, freshStandby: GeneratedKey?, at moment: Timestamp) {
        if new.maximumLifetime < settings.maximumLifetime, let active = ring.active {
            let latest = latestExpiry(signingUntil: moment)
            ring.update(active.kid) { $0.latestExpiry = latest }
        }
        if new.jwksMaxAge < settings.jwksMaxAge { maxAgeHorizon = cachedUntil(moment) }
        // A rotation that waits keeps its key, or goes on waiting for the one that replaces it.
        let standbyEnds =
            !(new.standby || rotationRequestedAt != nil) || new.keySpecification != settings.keySpecification
        settings = new
        if standbyEnds, let standby = ring.standby { ring.revoke(standby.kid, at: moment) }
        if let freshStandby, needsStandby { publish(freshStandby, at: moment) }
    }
}
