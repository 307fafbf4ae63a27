/// What an update changes of an issuer; what is `nil` stays.
public struct IssuerUpdate: Hashable, Sendable {
    public var settings: IssuerSettings?
    /// `true` enables the OIDC profile, `false` disables it.
    public var enabled: Bool?
    /// The URL to enable under, minted for this update.
    public var freshURL: String
    /// Drops former URLs at once instead of after the overlap.
    public var immediately: Bool

    public init(settings: IssuerSettings?, enabled: Bool?, freshURL: String, immediately: Bool) {
        self.settings = settings
        self.enabled = enabled
        self.freshURL = freshURL
        self.immediately = immediately
    }
}

extension Issuer {
    /// Whether the update needs a generated key to replace the standby key.
    public func needsFreshStandby(for update: IssuerUpdate) -> Bool {
        guard let settings = update.settings, settings.standby else { return false }
        return settings.keySpecification != self.settings.keySpecification
    }

    /// Changes settings and profile in one step; `nil` when that changes nothing.
    ///
    /// A profile that is enabled or disabled already stays as it is, URL included.
    /// - Parameter freshStandby: with a new algorithm or length of keys, the key that replaces the standby key at once.
    /// - Throws: `LifecycleError` with `.policyInvalid` for settings out of bounds, `.conflict` for another
    ///   `freshStandby` than they want.
    public func updating(
        _ update: IssuerUpdate, freshStandby: GeneratedKey? = nil, at moment: Timestamp
    ) throws(LifecycleError) -> IssuerChange? {
        try update.settings?.validate()
        try freshStandby?.require((update.settings ?? settings).keySpecification)
        let change = changed(at: moment) { next, moment in
            if let enabled = update.enabled { next.setProfile(enabled: enabled, freshURL: update.freshURL, at: moment) }
            if update.immediately { next.acceptedIssuers = [] }
            if let settings = update.settings { next.apply(settings, freshStandby: freshStandby, at: moment) }
        }
        return change.issuer.map(differsFromNow) == true ? change : nil
    }

    private func differsFromNow(_ next: Issuer) -> Bool {
        next.settings != settings || next.profile != profile || next.acceptedIssuers != acceptedIssuers || next.ring != ring
    }

    private mutating func setProfile(enabled: Bool, freshURL: String, at moment: Timestamp) {
        switch (profile, enabled) {
        case (.disabled, true):
            profile = .enabled(url: freshURL)
        case (.enabled(let url), false):
            profile = .disabled
            // What the retiring key signed carries the URL too.
            let expiresAt = max(overlapEnd(from: moment), ring.retiring?.latestExpiry ?? moment)
            acceptedIssuers.append(AcceptedIssuer(url: url, expiresAt: expiresAt))
        case (.disabled, false), (.enabled, true):
            break
        }
    }

    private mutating func apply(_ new: IssuerSettings, freshStandby: GeneratedKey?, at moment: Timestamp) {
        if new.maximumLifetime < settings.maximumLifetime, let active = ring.active {
            let latest = latestExpiry(signingUntil: moment)
            ring.update(active.kid) { $0.latestExpiry = latest }
        }
        if new.jwksMaxAge < settings.jwksMaxAge { maxAgeHorizon = cachedUntil(moment) }
        let standbyEnds = !new.standby || new.keySpecification != settings.keySpecification
        settings = new
        if standbyEnds, let standby = ring.standby { ring.revoke(standby.kid, at: moment) }
        if let freshStandby, needsStandby { publish(freshStandby, at: moment) }
    }
}
