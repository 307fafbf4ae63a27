import AgentProtocol

/// Rotations and revocations in words.
enum RotationText {
    /// What would happen.
    static func plan(_ result: RotationResult, now: WireTime) -> String {
        let plan = result.plan
        var lines: [(label: String, value: String)] = []
        if let incoming = plan.incoming {
            lines.append(("Becomes active", Self.incoming(incoming)))
            if let from = plan.signsFrom { lines += waiting(result.activeKid, until: from, now: now) }
        } else {
            lines.append(("Stays active", result.activeKid))
        }
        if let retiring = plan.retiring { lines.append(("Retires", Self.retiring(retiring, now: now))) }
        lines += plan.revoked.map { ("Revoked at once", $0) }
        lines.append(("New standby key", plan.standbyFollows ? "published afterwards" : Column.none))
        lines += exposure(result)
        return "Plan for issuer \(result.issuer), made for generation \(plan.generation):\n" + indented(Layout.card(lines))
    }

    /// What has happened.
    static func result(_ result: RotationResult, title: String, now: WireTime) -> String {
        let plan = result.plan
        var lines: [(label: String, value: String)] = [("Active", result.activeKid)]
        if let from = plan.signsFrom {
            if let incoming = plan.incoming { lines.append(("Becomes active", Self.incoming(incoming))) }
            lines += waiting(nil, until: from, now: now)
        } else if let incoming = plan.incoming {
            lines[0].value += " (\(incoming.algorithm), \(source(incoming)))"
        }
        if let retiring = plan.retiring {
            lines.append((plan.signsFrom == nil ? "Retiring" : "Retires", Self.retiring(retiring, now: now)))
        }
        lines += plan.revoked.map { ("Revoked", $0) }
        if let publication = result.publication { lines.append(("Publication", Self.publication(publication))) }
        if let settlement = result.settlement { lines += SettlementText.lines(settlement) }
        lines += exposure(result)
        return "\(title): generation \(result.generation).\n" + indented(Layout.card(lines))
    }

    /// The sentence before "Continue?".
    static func question(_ result: RotationResult) -> String {
        result.plan.revoked.isEmpty
            ? "JWTs already issued keep verifying until they expire."
            : "JWTs signed by a revoked key stop verifying."
    }

    /// - Parameter signing: the key that signs meanwhile, where that has not been said.
    private static func waiting(
        _ signing: String?, until from: WireTime, now: WireTime
    ) -> [(label: String, value: String)] {
        let moment = Elapsed.moment(from, now: now)
        guard let signing else { return [("Signs from", "\(moment); the agent sees to it")] }
        return [("Signs from", moment), ("Signs until then", signing)]
    }

    private static func incoming(_ key: IncomingKeyView) -> String {
        key.kid.map { "\($0) (\(key.algorithm), \(source(key)))" } ?? "\(source(key)) (\(key.algorithm))"
    }

    private static func source(_ key: IncomingKeyView) -> String {
        switch key.source {
        case "standby": "the standby key"
        case "generated": "a new key"
        default: key.source
        }
    }

    private static func retiring(_ key: RetiringKeyView, now: WireTime) -> String {
        "\(key.kid), valid until \(Elapsed.moment(key.expiresAt, now: now))"
    }

    private static func publication(_ publication: PublicationView) -> String {
        switch publication.outcome {
        case "unserved", "unwatched": "nobody serves this issuer's documents"
        case "published", "fetched": "published by every frontend (\(publication.watching)) before it signed"
        case "timed-out": "published by \(publication.published) of \(publication.watching) frontends before it signed"
        default: publication.outcome
        }
    }

    private static func exposure(_ result: RotationResult) -> [(label: String, value: String)] {
        guard result.exposureSeconds > 0 else { return [] }
        return [("Cached keys", "may be out of date for up to \(Elapsed.exact(seconds: Int64(result.exposureSeconds)))")]
    }

    private static func indented(_ text: String) -> String {
        text.split(separator: "\n").map { "  \($0)\n" }.joined()
    }
}
