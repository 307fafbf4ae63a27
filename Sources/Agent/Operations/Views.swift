import AgentProtocol
import JOSE
import KeyLifecycle
import PKCS11

extension IssuerStatus {
    /// - Parameter now: when the answer is put together.
    init(_ issuer: Issuer, isHSMUp: Bool, quarantine: Quarantine? = nil, at now: Timestamp) {
        let settings = issuer.settings
        let ring = issuer.ring
        let url: String? = if case .enabled(let url) = issuer.profile { url } else { nil }
        let next = settings.rotateEvery == nil ? nil : issuer.nextScheduledRotation
        self.init(
            name: issuer.name.text, generation: issuer.generation, createdAt: WireTime(issuer.createdAt),
            issuer: issuer.issuerURL, oidcIssuerProfile: OIDCIssuerProfileView(enabled: url != nil, issuerUrl: url),
            defaultIssuer: settings.defaultIssuer, jwksUri: url.map(IssuerDocuments.jwksURI),
            acceptedIssuers: issuer.acceptedIssuers.map { accepted in
                AcceptedIssuerView(
                    issuerUrl: accepted.url, jwksUri: IssuerDocuments.jwksURI(accepted.url),
                    expiresAt: WireTime(accepted.expiresAt))
            },
            algorithm: settings.algorithm.rawValue, rsaBits: settings.keySpecification.rsaBits,
            activeKid: ring.active?.kid ?? "",
            activeAlgorithm: ring.active?.algorithm.rawValue ?? "",
            keyCounts: KeyCounts(
                standby: ring.count(.standby), active: ring.count(.active), retiring: ring.count(.retiring),
                retired: ring.count(.retired), revoked: ring.count(.revoked)),
            lifetimeSeconds: settings.lifetime, maximumLifetimeSeconds: settings.maximumLifetime,
            overlapSeconds: settings.overlap, jwksMaxAgeSeconds: settings.jwksMaxAge,
            notBeforeSkewSeconds: settings.notBeforeSkew, standby: settings.standby,
            rotateEverySeconds: settings.rotateEvery ?? 0, lastRotationAt: issuer.lastRotationAt.map(WireTime.init),
            nextRotationAt: next.map(WireTime.init), awaitedRotation: AwaitedRotationView(issuer),
            overlapEndsAt: ring.retiring?.expiresAt.map(WireTime.init),
            hsm: isHSMUp ? "up" : "down", dataTimestamp: WireTime(now),
            refreshHintSeconds: Self.refreshHint(issuer, at: now), quarantine: quarantine?.reason)
    }

    /// Until something is due by time, a minute at most and a second at least.
    private static func refreshHint(_ issuer: Issuer, at now: Timestamp) -> Int {
        min(max(issuer.nextDeadline.map { $0 - now } ?? 60, 1), 60)
    }
}

extension AwaitedRotationView {
    /// - Returns: `nil` for an issuer of which no rotation waits.
    init?(_ issuer: Issuer) {
        guard let requestedAt = issuer.rotationRequestedAt else { return nil }
        self.init(
            requestedAt: WireTime(requestedAt), kid: issuer.ring.standby?.kid,
            signsFrom: issuer.nextAwaitedRotation.map(WireTime.init))
    }
}

extension KeyView {
    init(_ key: SigningKey, of issuer: IssuerName, custody: CustodyView?) throws {
        let publicKey = try PublicKey(subjectPublicKeyInfo: key.publicKey)
        self.init(
            kid: key.kid, issuer: issuer.text, algorithm: key.algorithm.rawValue, state: key.state.rawValue,
            createdAt: WireTime(key.publishedAt), publishedAt: WireTime(key.publishedAt),
            activatedAt: key.activatedAt.map(WireTime.init), retiringAt: key.retiringAt.map(WireTime.init),
            retiredAt: key.retiredAt.map(WireTime.init), revokedAt: key.revokedAt.map(WireTime.init),
            expiresAt: key.expiresAt.map(WireTime.init),
            publicJWK: try JSONValue(parsing: JWK(publicKey, key.algorithm.jws).encoded), custody: custody)
    }
}

extension CustodyView {
    init(_ attributes: CustodyAttributes, keyID: KeyID) {
        self.init(
            keyID: "\(keyID)", sensitive: attributes.sensitive, extractable: attributes.extractable,
            alwaysSensitive: attributes.alwaysSensitive, neverExtractable: attributes.neverExtractable,
            local: attributes.local, sign: attributes.sign, decrypt: attributes.decrypt, unwrap: attributes.unwrap,
            derive: attributes.derive, signRecover: attributes.signRecover)
    }
}

extension PublicationView {
    init(_ outcome: PublicationOutcome) {
        switch outcome {
        case .unserved: self = .unserved
        case .published(let frontends): self.init(outcome: "published", published: frontends, watching: frontends)
        case .timedOut(let published, let watching):
            self.init(outcome: "timed-out", published: published, watching: watching)
        }
    }
}

extension PublicationOutcome {
    /// What was published.
    enum Subject {
        /// The standby key of a fresh issuer.
        case standbyKey
        /// A key that was made known in order to sign.
        case signingKey
    }

    /// What the caller should know of it; `nil` where every frontend serves it.
    func warning(publishing subject: Subject) -> String? {
        switch (self, subject) {
        case (.published, _): nil
        case (.unserved, .standbyKey): "nobody serves this issuer's documents: no frontend watches the agent"
        case (.unserved, .signingKey): "nobody serves this issuer's documents"
        case (.timedOut(let published, let watching), .standbyKey):
            "only \(published) of \(watching) frontends serve this issuer's documents yet"
        case (.timedOut(let published, let watching), .signingKey):
            "only \(published) of \(watching) frontends served the new key before it signed"
        }
    }
}

extension RotationPlanView {
    /// - Parameter executed: the same plan with the kid and the moments it was carried out with.
    init(_ plan: RotationPlan, executed: RotationPlan?) {
        let incoming: IncomingKeyView? =
            switch (plan.incoming, executed?.incoming) {
            case (.standby(let kid, let algorithm), _):
                IncomingKeyView(source: "standby", kid: kid, algorithm: algorithm.rawValue)
            case (.fresh(let key), .standby(let kid, _)):
                IncomingKeyView(source: "generated", kid: kid, algorithm: key.algorithm.rawValue)
            case (.fresh(let key), _):
                IncomingKeyView(source: "generated", kid: nil, algorithm: key.algorithm.rawValue)
            case (nil, _):
                nil
            }
        let retiring = (executed ?? plan).retiring
        self.init(
            generation: plan.generation, incoming: incoming, signsFrom: (executed ?? plan).signsFrom.map(WireTime.init),
            retiring: retiring.map { RetiringKeyView(kid: $0.kid, expiresAt: WireTime($0.expiresAt)) },
            revoked: plan.revoked, standbyFollows: plan.standbyFollows)
    }
}
