import AgentProtocol
import KeyLifecycle

extension IssuerSettingsPatch {
    /// The settings with what the request names in place of what was there.
    ///
    /// - Throws: `UNSUPPORTED_ALGORITHM`; `POLICY_INVALID` for a length of RSA keys with another algorithm. Bounds are the domain's to check.
    func applied(to settings: IssuerSettings) throws(ProtocolError) -> IssuerSettings {
        var next = settings
        if let algorithm {
            guard let known = SignatureAlgorithm(rawValue: algorithm) else {
                let names = SignatureAlgorithm.allCases.map(\.rawValue).joined(separator: ", ")
                throw ProtocolError(
                    .unsupportedAlgorithm, "\"\(algorithm.prefix(32))\" is no algorithm this agent signs with",
                    hint: "choose one of \(names)")
            }
            next.algorithm = known
        }
        if let rsaBits {
            guard next.algorithm.isRSA else {
                throw ProtocolError(
                    .policyInvalid, "keys for \(next.algorithm.rawValue) have one length only",
                    hint: "leave rsaBits out, or choose RS256 or PS256")
            }
            next.rsaBits = rsaBits
        }
        next.defaultIssuer = defaultIssuer ?? next.defaultIssuer
        next.maximumLifetime = maximumLifetimeSeconds ?? next.maximumLifetime
        next.lifetime = lifetimeSeconds ?? next.lifetime
        next.overlap = overlapSeconds ?? next.overlap
        next.jwksMaxAge = jwksMaxAgeSeconds ?? next.jwksMaxAge
        next.notBeforeSkew = notBeforeSkewSeconds ?? next.notBeforeSkew
        next.standby = standby ?? next.standby
        if let rotateEverySeconds { next.rotateEvery = rotateEverySeconds == 0 ? nil : rotateEverySeconds }
        return next
    }
}
