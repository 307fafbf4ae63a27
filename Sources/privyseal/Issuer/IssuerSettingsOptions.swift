import AgentProtocol
import ArgumentParser

/// The settings that `issuer create` and `issuer update` share. What is not given keeps its default or its value.
struct IssuerSettingsOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Algorithm of keys to come: RS256, PS256, ES256, ES384, ES512 or EdDSA. A change signs from the next rotation on: "
                + "restart the relying parties that read the algorithms only when they start before you rotate.",
            valueName: "name"))
    var algorithm: String?

    @Option(
        help: ArgumentHelp(
            "Length of RSA keys to come: 2048, 3072 or 4096. A change counts like one of the algorithm.", valueName: "bits"))
    var rsaBits: Int?

    @Option(
        help: ArgumentHelp("Lifetime of a JWT whose request names none, at least 10m.", valueName: "duration"),
        transform: DurationArgument.parse)
    var lifetime: DurationArgument?

    @Option(
        help: ArgumentHelp(
            "Longest lifetime a request may ask for, at most 24h and never more than the overlap.", valueName: "duration"),
        transform: DurationArgument.parse)
    var maxLifetime: DurationArgument?

    @Option(
        help: ArgumentHelp("How long a rotated-out key stays valid.", valueName: "duration"),
        transform: DurationArgument.parse)
    var overlap: DurationArgument?

    @Option(
        help: ArgumentHelp("How long relying parties may cache the public keys, at least 10s.", valueName: "duration"),
        transform: DurationArgument.parse)
    var jwksMaxAge: DurationArgument?

    @Option(
        help: ArgumentHelp(
            "Date nbf back by that much, for relying parties whose clock is behind; at most 60s.", valueName: "duration"),
        transform: DurationArgument.parse)
    var notBeforeSkew: DurationArgument?

    @Option(
        help: ArgumentHelp("Rotate by schedule, as in 30d; off for never.", valueName: "duration"),
        transform: DurationArgument.parseOrOff)
    var rotateEvery: DurationArgument?

    @Option(help: ArgumentHelp("The iss of JWTs while the OIDC profile is disabled.", valueName: "uri"))
    var defaultIssuer: String?

    @Flag(
        inversion: .prefixedNo,
        help: "Publish the next key ahead of its first signature, so that relying parties know it in time.")
    var standby: Bool?

    /// What was given, as a request names it.
    var patch: IssuerSettingsPatch {
        IssuerSettingsPatch(
            algorithm: algorithm, rsaBits: rsaBits, defaultIssuer: defaultIssuer, lifetimeSeconds: lifetime?.seconds,
            maximumLifetimeSeconds: maxLifetime?.seconds, overlapSeconds: overlap?.seconds,
            jwksMaxAgeSeconds: jwksMaxAge?.seconds, notBeforeSkewSeconds: notBeforeSkew?.seconds, standby: standby,
            rotateEverySeconds: rotateEvery?.seconds)
    }
}
