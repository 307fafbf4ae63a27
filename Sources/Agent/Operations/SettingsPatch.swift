import AgentProtocol
import KeyLifecycle

/// Parameters that name settings of an issuer.
protocol SettingsParameters {
    var algorithm: String? { get }
    var rsaBits: Int? { get }
    var defaultIssuer: String? { get }
    var lifetimeSeconds: Int? { get }
    var maximumLifetimeSeconds: Int? { get }
    var overlapSeconds: Int? { get }
    var jwksMaxAgeSeconds: Int? { get }
    var notBeforeSkewSeconds: Int? { get }
    var standby: Bool? { get }
    var rotateEverySeconds: Int? { get }
}

extension IssuerCreateParameters: SettingsParameters {}
extension IssuerUpdateParameters: SettingsParameters {}

/// The settings a request names.
struct SettingsPatch: Sendable {
    private let algorithm: String?
    private let rsaBits: Int?
    private let defaultIssuer: String?
    private let lifetime: Int?
    private let maximumLifetime: Int?
    private let overlap: Int?
    private let jwksMaxAge: Int?
    private let notBeforeSkew: Int?
    private let standby: Bool?
    private let rotateEvery: Int?

    init(_ parameters: some SettingsParameters) {
        algorithm = parameters.algorithm
        rsaBits = parameters.rsaBits
        defaultIssuer = parameters.defaultIssuer
        lifetime = parameters.lifetimeSeconds
        maximumLifetime = parameters.maximumLifetimeSeconds
        overlap = parameters.overlapSeconds
        jwksMaxAge = parameters.jwksMaxAgeSeconds
        notBeforeSkew = parameters.notBeforeSkewSeconds
        standby = parameters.standby
        rotateEvery = parameters.rotateEverySeconds
    }

    /// Whether the request names no setting at all.
    var isEmpty: Bool {
        algorithm == nil && rsaBits == nil && defaultIssuer == nil && lifetime == nil && maximumLifetime == nil
            && overlap == nil && jwksMaxAge == nil && notBeforeSkew == nil && standby == nil && rotateEvery == nil
    }

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
        next.maximumLifetime = maximumLifetime ?? next.maximumLifetime
        next.lifetime = lifetime ?? next.lifetime
        next.overlap = overlap ?? next.overlap
        next.jwksMaxAge = jwksMaxAge ?? next.jwksMaxAge
        next.notBeforeSkew = notBeforeSkew ?? next.notBeforeSkew
        next.standby = standby ?? next.standby
        if let rotateEvery { next.rotateEvery = rotateEvery == 0 ? nil : rotateEvery }
        return next
    }
}
