/// What an operator sets of an issuer.
public struct IssuerSettings: Hashable, Sendable {
    /// What new keys sign with.
    public var algorithm: SignatureAlgorithm
    /// The length of new RSA keys in bits, one of `rsaLengths`; kept, and without effect, with an algorithm that is not RSA.
    public var rsaBits: Int
    /// `iss` while the OIDC profile is disabled.
    public var defaultIssuer: String
    /// Seconds a JWT lives when its request names no lifetime.
    public var lifetime: Int
    /// Seconds a JWT may live.
    public var maximumLifetime: Int
    /// Seconds a rotated-out key stays valid, and a former URL served.
    public var overlap: Int
    /// The `max-age` of the public documents, in seconds.
    public var jwksMaxAge: Int
    /// Seconds by which an `nbf` that is filled in lies before `iat`, for relying parties whose clock is behind.
    public var notBeforeSkew: Int
    /// Whether a key is published ahead of its first signature.
    public var standby: Bool
    /// Seconds between scheduled rotations, if there are any.
    public var rotateEvery: Int?

    public static let defaultIssuerURL = "https://kubernetes.default.svc.cluster.local"
    /// No JWT may be asked to live shorter, in seconds.
    public static let minimumLifetime = 600
    /// No JWT lives longer, in seconds: one day.
    public static let maximumLifetimeBound = 86_400
    /// No overlap is longer, in seconds: thirty days.
    public static let maximumOverlap = 2_592_000
    /// No `max-age` is shorter, in seconds: below, the documents are fetched more often than it helps anybody.
    public static let minimumMaxAge = 10
    /// The `max-age` unless another is set, in seconds: the longest at which relying parties that fetch only when it is nearly
    /// over take a fresh key at once (`RelyingPartyKind`).
    public static let defaultMaxAge = 30
    /// No `max-age` is longer, in seconds: one day.
    public static let maximumMaxAge = 86_400
    /// No `nbf` is dated back further, in seconds: what is tolerated of an `nbf` that a caller gives.
    public static let maximumNotBeforeSkew = 60
    /// Scheduled rotations are no further apart, in seconds: ten years.
    public static let maximumRotateEvery = 315_360_000

    /// The lengths an RSA key may have, in bits.
    public static let rsaLengths = [2_048, 3_072, 4_096]

    public init(
        algorithm: SignatureAlgorithm = .rs256, rsaBits: Int = 2_048, defaultIssuer: String = Self.defaultIssuerURL,
        lifetime: Int = 3_600,
        maximumLifetime: Int = 86_400, overlap: Int = 86_400, jwksMaxAge: Int = Self.defaultMaxAge, notBeforeSkew: Int = 0,
        standby: Bool = true, rotateEvery: Int? = nil
    ) {
        self.algorithm = algorithm
        self.rsaBits = rsaBits
        self.defaultIssuer = defaultIssuer
        self.lifetime = lifetime
        self.maximumLifetime = maximumLifetime
        self.overlap = overlap
        self.jwksMaxAge = jwksMaxAge
        self.notBeforeSkew = notBeforeSkew
        self.standby = standby
        self.rotateEvery = rotateEvery
    }

    /// What new keys are to be.
    public var keySpecification: KeySpecification { KeySpecification(algorithm, rsaBits: rsaBits) }

    /// Refuses settings under which a JWT could outlive the publication of its key, or live too long or too short.
    ///
    /// - Throws: `LifecycleError` with `.policyInvalid`, naming the setting and its bounds.
    public func validate() throws(LifecycleError) {
        try Self.require(
            Self.minimumLifetime...Self.maximumLifetimeBound, contains: maximumLifetime, "the maximum lifetime")
        try Self.require(Self.minimumLifetime...maximumLifetime, contains: lifetime, "the lifetime")
        try Self.require(
            maximumLifetime...Self.maximumOverlap, contains: overlap, "the overlap",
            because: "a JWT must not outlive the publication of its key")
        try Self.require(Self.minimumMaxAge...Self.maximumMaxAge, contains: jwksMaxAge, "the JWKS max-age")
        try Self.require(0...Self.maximumNotBeforeSkew, contains: notBeforeSkew, "the skew of nbf")
        guard Self.rsaLengths.contains(rsaBits) else {
            let lengths = Self.rsaLengths.map(String.init).joined(separator: ", ")
            throw LifecycleError(
                .policyInvalid, "RSA keys of \(rsaBits) bits are not made", hint: "choose one of \(lengths) bits")
        }
        try validateDefaultIssuer()
        if let rotateEvery { try validateSchedule(rotateEvery) }
    }

    private func validateDefaultIssuer() throws(LifecycleError) {
        let printable = defaultIssuer.unicodeScalars.allSatisfy { $0.value > 0x20 && $0.value < 0x7F }
        guard !defaultIssuer.isEmpty, defaultIssuer.utf8.count <= 512, printable else {
            throw LifecycleError(
                .policyInvalid, "the default issuer must be 1 to 512 printable ASCII characters without spaces",
                hint: "give a URL such as \(Self.defaultIssuerURL)")
        }
    }

    private func validateSchedule(_ rotateEvery: Int) throws(LifecycleError) {
        guard standby else {
            throw LifecycleError(
                .policyInvalid, "scheduled rotations need a standby key that relying parties already know",
                hint: "switch the standby key on, or leave the schedule out")
        }
        try Self.require(
            (overlap + 1)...Self.maximumRotateEvery, contains: rotateEvery, "the rotation interval",
            because: "a scheduled rotation waits until the overlap has passed")
    }

    private static func require(
        _ bounds: ClosedRange<Int>, contains value: Int, _ name: String, because reason: String? = nil
    ) throws(LifecycleError) {
        guard !bounds.contains(value) else { return }
        throw LifecycleError(
            .policyInvalid,
            "\(name) of \(value) s is outside \(bounds.lowerBound) to \(bounds.upperBound) s" + (reason.map { ": \($0)" } ?? ""),
            hint: "choose a value within these bounds")
    }
}
