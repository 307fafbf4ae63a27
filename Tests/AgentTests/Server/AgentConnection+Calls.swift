import AgentClient
import AgentProtocol
import RelyingParty
import Testing

/// The calls of these tests, in fewer words.
extension AgentConnection {
    @discardableResult
    func create(
        _ issuer: String = "demo", algorithm: String = "ES256", rsaBits: Int? = nil, enabled: Bool = true,
        standby: Bool? = nil
    ) async throws -> IssuerStatus {
        try await call(
            IssuerCreateParameters(
                issuer: issuer, enableOIDCIssuer: enabled,
                settings: .init(algorithm: algorithm, rsaBits: rsaBits, standby: standby))
        ).issuer
    }

    func status(_ issuer: String = "demo") async throws -> IssuerStatus {
        try await call(IssuerStatusParameters(issuer: issuer))
    }

    @discardableResult
    func rotate(
        _ issuer: String = "demo", dryRun: Bool? = nil, ifGeneration: Int? = nil, whenSafe: Bool? = nil, noRevoke: Bool? = nil,
        cancel: Bool? = nil
    ) async throws -> RotationResult {
        try await call(
            RotateParameters(
                issuer: issuer, dryRun: dryRun, ifGeneration: ifGeneration, whenSafe: whenSafe, noRevoke: noRevoke,
                cancel: cancel))
    }

    func revoke(_ kid: String, dryRun: Bool? = nil) async throws -> RotationResult {
        try await call(RevokeKeyParameters(kid: kid, dryRun: dryRun))
    }

    func discovery(_ issuer: String = "demo") async throws -> DiscoveryResult {
        try await call(GetDiscoveryParameters(issuer: issuer))
    }

    func keys(_ issuer: String? = nil) async throws -> [KeyView] {
        try await call(ListKeysParameters(issuer: issuer)).keys
    }

    /// The key in this state; nil unless there is exactly one.
    func key(_ state: String, of issuer: String = "demo") async throws -> KeyView? {
        let keys = try await keys(issuer).filter { $0.state == state }
        return keys.count == 1 ? keys[0] : nil
    }

    func sign(_ issuer: String = "demo", lifetime: Int? = nil) async throws -> SignResult {
        try await call(
            SignParameters(issuer: issuer, claims: ["sub": "billing", "aud": "https://api"], lifetimeSeconds: lifetime))
    }

    func health() async throws -> Health {
        try await call(HealthParameters())
    }

    /// What a relying party makes of a JWT by the keys that are published now.
    func verify(
        _ jwt: String, issuer: String = "demo", iss: String? = nil, now: Int64
    ) async throws -> VerifiedJWT {
        let keySet = try await discovery(issuer).jwks.body
        return try await JWTVerifier(keySet: Array(keySet.utf8), expectedIssuer: iss).verify(jwt, now: Double(now))
    }
}

/// Runs a call that must be refused and returns the refusal.
func refusal(_ call: () async throws -> Void, sourceLocation: SourceLocation = #_sourceLocation) async throws -> ProtocolError {
    try #require(await #expect(throws: ProtocolError.self, sourceLocation: sourceLocation) { try await call() })
}

/// The kids of a JWKS, in its order.
func kids(of document: Document) throws -> [String] {
    try JSONValue(parsing: Array(document.body.utf8))["keys"]?.elements?.compactMap { $0["kid"]?.string } ?? []
}
