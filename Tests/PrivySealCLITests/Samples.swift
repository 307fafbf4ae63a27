import AgentProtocol

/// Replies as an agent gives them.
enum Samples {
    static let url = "https://oidc.example.com/t/11/"
    static let former = "https://oidc.example.com/t/10/"
    static let defaultIssuer = "https://kubernetes.default.svc.cluster.local"
    static let kids = ["kid-1", "kid-2", "kid-3"]

    static func time(_ text: String) -> WireTime { WireTime(text) ?? WireTime(seconds: 0) }

    static func issuer(_ name: String = "demo", enabled: Bool = true, generation: Int = 3) -> IssuerStatus {
        IssuerStatus(
            name: name, generation: generation, createdAt: time("2026-11-22T09:00:00Z"),
            issuer: enabled ? url : defaultIssuer,
            oidcIssuerProfile: OIDCIssuerProfileView(enabled: enabled, issuerUrl: enabled ? url : nil),
            defaultIssuer: defaultIssuer, jwksUri: enabled ? url + "openid/v1/jwks" : nil,
            acceptedIssuers: [
                AcceptedIssuerView(
                    issuerUrl: former, jwksUri: former + "openid/v1/jwks", expiresAt: time("2026-11-25T09:00:00Z"))
            ],
            algorithm: "RS256", rsaBits: 2048, activeKid: kids[1], activeAlgorithm: "RS256",
            keyCounts: KeyCounts(standby: 1, active: 1, retiring: 1, retired: 0, revoked: 0), lifetimeSeconds: 3600,
            maximumLifetimeSeconds: 86_400, overlapSeconds: 86_400, jwksMaxAgeSeconds: 300, notBeforeSkewSeconds: 0,
            standby: true,
            rotateEverySeconds: 2_592_000, lastRotationAt: time("2026-11-24T09:00:00Z"),
            nextRotationAt: time("2026-12-24T09:00:00Z"),
            awaitedRotation: AwaitedRotationView(
                requestedAt: time("2026-11-24T09:59:50Z"), kid: "kid-3", signsFrom: time("2026-11-24T10:00:20Z")),
            overlapEndsAt: time("2026-11-25T09:00:00Z"), hsm: "up",
            dataTimestamp: time("2026-11-24T10:00:00Z"), refreshHintSeconds: 60)
    }

    static func key(_ kid: String, _ state: String, expires: String? = nil) -> KeyView {
        KeyView(
            kid: kid, issuer: "demo", algorithm: "RS256", state: state, createdAt: time("2026-11-24T09:55:00Z"),
            expiresAt: expires.map(time), publicJWK: ["kty": "RSA", "kid": .string(kid)])
    }

    /// The plan of an ordinary rotation, or of one that revokes.
    static func rotation(
        dryRun: Bool, revoking: Bool = false, waiting: Bool = false, generation: Int = 3
    ) -> RotationResult {
        RotationResult(
            issuer: "demo", dryRun: dryRun,
            plan: RotationPlanView(
                generation: 3,
                incoming: revoking
                    ? IncomingKeyView(source: "generated", kid: dryRun ? nil : "kid-4", algorithm: "RS256")
                    : IncomingKeyView(source: "standby", kid: "kid-3", algorithm: "RS256"),
                signsFrom: waiting ? time("2026-11-24T10:00:20Z") : nil,
                retiring: RetiringKeyView(kid: "kid-2", expiresAt: time("2026-11-25T10:00:00Z")),
                revoked: revoking ? ["kid-1", "kid-3"] : [], standbyFollows: true),
            activeKid: dryRun || waiting ? "kid-2" : revoking ? "kid-4" : "kid-3", generation: generation,
            publication: revoking && !dryRun ? PublicationView(outcome: "published", published: 2, watching: 2) : nil,
            exposureSeconds: revoking ? 300 : 0, warnings: revoking ? ["cached keys can mislead for 300 s"] : [])
    }

    static let signed = SignResult(
        jwt: "aaa.bbb.ccc", header: "aaa", signature: "ccc", kid: "kid-2", alg: "RS256",
        expiresAt: time("2026-11-24T11:00:00Z"))

    static let discoveryText = #"{"issuer":"https://oidc.example.com/t/11/","jwks_uri":"https://x/jwks"}"#
    static let jwksText = #"{"keys":[{"kid":"kid-2"},{"kid":"kid-3"}]}"#

    static func documents(enabled: Bool = true, jwks: String = jwksText) -> DiscoveryResult {
        func version(_ from: String, _ discovery: String) -> DocumentVersion {
            DocumentVersion(
                from: time(from), discovery: Document(body: discovery, etag: "\"d\""),
                jwks: Document(body: jwks, etag: "\"j\""))
        }
        let published = PublishedURL(
            issuerUrl: url, discoveryUri: url + ".well-known/openid-configuration", jwksUri: url + "openid/v1/jwks",
            current: true, expiresAt: nil, maxAgeSeconds: 300,
            versions: [
                version("2026-11-23T00:00:00Z", "{}"), version("2026-11-24T09:00:00Z", discoveryText),
                version("2026-11-25T09:00:00Z", #"{"later":true}"#),
            ])
        return DiscoveryResult(
            issuer: "demo", generation: 3, dataTimestamp: time("2026-11-24T10:00:00Z"),
            jwks: Document(body: jwks, etag: "\"j\""), urls: enabled ? [published] : [])
    }

    static func health(_ status: String) -> Health {
        Health(
            status: status,
            hsm: HSMHealth(
                state: status == "unavailable" ? "down" : "up", tokenLabel: "privyseal", tokenSerial: "1f2e", sessions: 4,
                queuedRequests: 0,
                keyWork: KeyWorkHealth(
                    awaited: LineHealth(queued: 0, oldestSeconds: 0), generation: LineHealth(queued: 1, oldestSeconds: 2),
                    destruction: LineHealth(queued: 297, oldestSeconds: 4))),
            store: ComponentHealth(state: "ok"), clock: ComponentHealth(state: "ok"), audit: ComponentHealth(state: "ok"),
            problems: status == "ok"
                ? [] : [HealthProblem(component: "hsm", message: "the token is gone", hint: "plug it in")])
    }
}
