import AgentProtocol

/// How issuers are shown.
enum IssuerColumns {
    /// `issuer show`: what was set.
    static let settings: [Column] = [
        Column("Name", "name"),
        Column("Created", "createdAt", show: Column.moment),
        Column("Generation", "generation"),
        Column("OIDC profile", "oidcIssuerProfile", "enabled", show: enabled),
        Column("Issuer URL", "oidcIssuerProfile", "issuerUrl"),
        Column("Default issuer", "defaultIssuer"),
        Column("Algorithm", "algorithm"),
        Column("RSA key length", "rsaBits"),
        Column("JWT lifetime", "lifetimeSeconds", show: Column.duration),
        Column("Maximum lifetime", "maximumLifetimeSeconds", show: Column.duration),
        Column("Overlap", "overlapSeconds", show: Column.duration),
        Column("JWKS max-age", "jwksMaxAgeSeconds", show: Column.duration),
        Column("Standby key", "standby", show: Column.yesNo),
        Column("Rotate every", "rotateEverySeconds", show: schedule),
        Column("nbf dated back", "notBeforeSkewSeconds", show: Column.duration),
    ]

    /// `issuer status`: where it stands.
    static let status: [Column] = [
        Column("Name", "name"),
        Column("Generation", "generation"),
        Column("Issuer", "issuer"),
        Column("OIDC profile", "oidcIssuerProfile", "enabled", show: enabled),
        Column("JWKS", "jwksUri"),
        Column("Accepted issuers", "acceptedIssuers", show: acceptedIssuers),
        Column("Active key", "activeKid"),
        Column("Active algorithm", "activeAlgorithm"),
        Column("Keys", "keyCounts", show: counts),
        Column("Last rotation", "lastRotationAt", show: Column.moment),
        Column("Overlap ends", "overlapEndsAt", show: Column.moment),
        Column("Next rotation", "nextRotationAt", show: Column.moment),
        Column("HSM", "hsm"),
        Column("As of", "dataTimestamp", show: Column.moment),
        Column("Awaited rotation", "awaitedRotation", show: awaited),
        Column("Quarantine", "quarantine"),
    ]

    /// `issuer list`.
    static let list: [Column] = [
        Column("Name", "name"),
        Column("OIDC", "oidcIssuerProfile", "enabled", show: enabled),
        Column("Issuer", "issuer"),
        Column("Algorithm", "activeAlgorithm"),
        Column("Rotated", "lastRotationAt", show: Column.age),
        Column("Age", "createdAt", show: Column.age),
        Column("State", "quarantine", show: state),
    ]

    /// A line for each issuer in quarantine among these.
    static func warnings(_ issuers: [JSONValue]) -> [String] {
        issuers.compactMap { issuer in
            issuer["quarantine"]?.string.map {
                "issuer \(issuer["name"]?.string ?? Column.none) is in quarantine and signs nothing: \($0); `privyseal health` says what to do"
            }
        }
    }

    /// Whether it signs, as far as that is up to the issuer; why not is too long for a column.
    @Sendable private static func state(_ quarantine: JSONValue, _ now: WireTime) -> String {
        quarantine == .null ? "ok" : "quarantine"
    }

    @Sendable private static func enabled(_ value: JSONValue, _ now: WireTime) -> String {
        value.bool.map { $0 ? "enabled" : "disabled" } ?? Column.plain(value, now)
    }

    @Sendable private static func schedule(_ value: JSONValue, _ now: WireTime) -> String {
        value.integer == 0 ? "off" : Column.duration(value, now)
    }

    /// `https://…/ (23h left)`, comma-separated.
    @Sendable private static func acceptedIssuers(_ value: JSONValue, _ now: WireTime) -> String {
        guard let elements = value.elements, !elements.isEmpty else { return Column.none }
        return elements.map { element in
            let url = element["issuerUrl"]?.string ?? Column.none
            return element["expiresAt"]?.time.map { _ in
                "\(url) (\(Column.remaining(element["expiresAt"] ?? .null, now)) left)"
            } ?? url
        }.joined(separator: ", ")
    }

    /// `to KID at 2026-11-24T10:00:00Z (in 20s)`.
    @Sendable private static func awaited(_ value: JSONValue, _ now: WireTime) -> String {
        guard value.members != nil else { return Column.plain(value, now) }
        guard let kid = value["kid"]?.string, let from = value["signsFrom"]?.time else { return "its key is being generated" }
        return "to \(kid) at \(Elapsed.moment(from, now: now))"
    }

    /// `1 standby, 1 active`, states without keys left out.
    @Sendable private static func counts(_ value: JSONValue, _ now: WireTime) -> String {
        let counts = (value.members ?? []).filter { $0.value != .integer(0) }.map { "\($0.value.cell) \($0.name)" }
        return counts.isEmpty ? Column.none : counts.joined(separator: ", ")
    }
}
