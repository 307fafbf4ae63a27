/// What the policy has to know of the claims a caller wants signed.
public struct ClaimsFacts: Sendable {
    /// `iss`, when the caller gave one.
    public var issuer: String?
    /// Whether `aud` is there and not empty.
    public var hasAudience: Bool
    public var issuedAt: Int64?
    public var notBefore: Int64?
    public var expiresAt: Int64?
    /// Seconds the JWT is to live, when the caller named that instead of `exp`.
    public var lifetime: Int?
    /// Whether the claims are signed byte for byte, so that nothing can be filled in.
    public var isComplete: Bool

    public init(
        issuer: String?, hasAudience: Bool, issuedAt: Int64?, notBefore: Int64?, expiresAt: Int64?, lifetime: Int?,
        isComplete: Bool
    ) {
        self.issuer = issuer
        self.hasAudience = hasAudience
        self.issuedAt = issuedAt
        self.notBefore = notBefore
        self.expiresAt = expiresAt
        self.lifetime = lifetime
        self.isComplete = isComplete
    }
}

/// The dates of a JWT that may be signed (RFC 7519 §4.1.4 to §4.1.6), given or filled in.
public struct ClaimsGrant: Hashable, Sendable {
    public let issuedAt: Int64
    public let notBefore: Int64
    public let expiresAt: Int64
}

/// Which claims an issuer signs.
public struct ClaimsPolicy: Hashable, Sendable {
    /// How far a given `iat` or `nbf` may be from now, in seconds.
    public static let dateTolerance: Int64 = 60

    /// What `iss` must be.
    public let issuerURL: String
    /// Seconds.
    public let lifetime: Int
    /// Seconds.
    public let maximumLifetime: Int
    /// Seconds by which an `nbf` that is filled in lies before `iat`.
    public let notBeforeSkew: Int

    public init(_ issuer: Issuer) {
        issuerURL = issuer.issuerURL
        lifetime = issuer.settings.lifetime
        maximumLifetime = issuer.settings.maximumLifetime
        notBeforeSkew = issuer.settings.notBeforeSkew
    }

    /// Judges claims at `now`.
    ///
    /// A JWT's lifetime counts from `iat`, or from now when `iat` lies ahead.
    /// - Throws: `LifecycleError` with `.claimsInvalid`, or `.lifetimeExceeded` for one that would live too long.
    public func grant(_ facts: ClaimsFacts, at now: Timestamp) throws(LifecycleError) -> ClaimsGrant {
        try checkIssuer(facts)
        guard facts.hasAudience else {
            throw .claims("aud is missing or empty", hint: "name who the JWT is for in aud, a string or an array of strings")
        }
        try checkDate(facts.issuedAt, "iat", now)
        try checkDate(facts.notBefore, "nbf", now)
        let issuedAt = facts.issuedAt ?? now.seconds
        let start = min(issuedAt, now.seconds)
        let expiresAt = try expiry(facts, start: start)
        return ClaimsGrant(
            issuedAt: issuedAt, notBefore: facts.notBefore ?? issuedAt - Int64(notBeforeSkew), expiresAt: expiresAt)
    }

    private func checkIssuer(_ facts: ClaimsFacts) throws(LifecycleError) {
        // Bytes are compared: Swift calls a Kelvin sign and a K equal, relying parties do not (RFC 8259 §8.3).
        if let issuer = facts.issuer, !issuer.utf8.elementsEqual(issuerURL.utf8) {
            throw .claims("iss is not the current issuer \(issuerURL)", hint: "leave iss out, or give the current issuer")
        }
        guard facts.isComplete else { return }
        let missing = [("iss", facts.issuer == nil), ("iat", facts.issuedAt == nil), ("exp", facts.expiresAt == nil)]
        if let name = missing.first(where: \.1)?.0 {
            throw .claims("the payload has no \(name)", hint: "a payload is signed as it stands and must hold iss, iat and exp")
        }
    }

    private func checkDate(_ date: Int64?, _ name: String, _ now: Timestamp) throws(LifecycleError) {
        guard let date else { return }
        let tolerated = (now.seconds - Self.dateTolerance)...(now.seconds + Self.dateTolerance)
        guard tolerated.contains(date) else {
            throw .claims("\(name) is more than \(Self.dateTolerance) s from now", hint: "leave \(name) out, or check the clock")
        }
    }

    private func expiry(_ facts: ClaimsFacts, start: Int64) throws(LifecycleError) -> Int64 {
        switch (facts.expiresAt, facts.lifetime) {
        case (.some, .some):
            throw .claims("both exp and a lifetime are given", hint: "give one of them")
        case (let expiresAt?, nil):
            let (lifetime, overflow) = expiresAt.subtractingReportingOverflow(start)
            try checkLifetime(overflow ? (expiresAt < start ? .min : .max) : lifetime)
            return expiresAt
        case (nil, let lifetime):
            let lifetime = Int64(lifetime ?? self.lifetime)
            try checkLifetime(lifetime)
            return start + lifetime
        }
    }

    private func checkLifetime(_ lifetime: Int64) throws(LifecycleError) {
        guard lifetime >= IssuerSettings.minimumLifetime else {
            throw .claims(
                "the JWT would live less than \(IssuerSettings.minimumLifetime) s",
                hint: "choose exp at least \(IssuerSettings.minimumLifetime) s ahead")
        }
        guard lifetime <= maximumLifetime else {
            throw LifecycleError(
                .lifetimeExceeded, "the JWT would live \(lifetime) s, the issuer allows \(maximumLifetime) s",
                hint: "choose an earlier exp, or raise the issuer's maximum lifetime (one day at most)")
        }
    }
}

extension LifecycleError {
    fileprivate static func claims(_ message: String, hint: String) -> LifecycleError {
        LifecycleError(.claimsInvalid, message, hint: hint)
    }
}
