public import AgentProtocol

/// What a rule has to know of the JWT a caller wants.
public struct SignatureFacts: Sendable {
    public var subject: String?
    public var audience: [String]
    /// Claims beside the registered ones (RFC 7519 §4.1); asked for only when a rule bounds them.
    public var otherClaims: @Sendable () -> [String]

    public init(subject: String?, audience: [String], otherClaims: @escaping @Sendable () -> [String]) {
        self.subject = subject
        self.audience = audience
        self.otherClaims = otherClaims
    }
}

extension AccessRule {
    /// Holds what is to be signed against the rule's bounds.
    ///
    /// - Throws: `PERMISSION_DENIED`, naming what was refused and not what would be allowed; `CLAIMS_INVALID` for a claim that
    ///   some relying parties take for an allowed one.
    public func check(_ facts: SignatureFacts) throws(ProtocolError) {
        if let subjects {
            guard let subject = facts.subject else {
                throw .outOfBounds("a JWT without sub", hint: "name a subject that the access rules allow you")
            }
            guard subjects.contains(where: { $0.matches(subject) }) else {
                throw .outOfBounds("the subject \(quoted(subject, limit: 128))")
            }
        }
        if let audiences, let other = facts.audience.first(where: { audience in !audiences.contains { $0.matches(audience) } }) {
            throw .outOfBounds("the audience \(quoted(other, limit: 128))")
        }
        // Bytes are compared: Swift calls different spellings of a character equal.
        if let claims,
            let other = facts.otherClaims().first(where: { name in !claims.contains { $0.utf8.elementsEqual(name.utf8) } })
        {
            if claims.contains(where: { ClaimsObject.areSameButForCase($0, other) }) {
                throw ProtocolError(
                    .claimsInvalid,
                    "the claims are ambiguous: \(quoted(other)) differs in case alone from a claim that has a meaning",
                    hint: "spell the claim as the relying party does")
            }
            throw .outOfBounds("the claim \(quoted(other))")
        }
    }

    /// - Parameter lifetime: seconds.
    /// - Throws: `TOKEN_LIFETIME_EXCEEDED`.
    public func check(lifetime: Int) throws(ProtocolError) {
        guard let maximumLifetime, lifetime > maximumLifetime else { return }
        throw ProtocolError(
            .tokenLifetimeExceeded, "the JWT would live \(lifetime) s, and the access rules allow you \(maximumLifetime) s",
            hint: "ask for a lifetime of \(maximumLifetime) s at most")
    }
}

extension ProtocolError {
    fileprivate static func outOfBounds(
        _ what: String, hint: String = "ask the operator of the agent for an access rule"
    ) -> ProtocolError {
        ProtocolError(.permissionDenied, "you may not have \(what) signed", hint: hint)
    }
}
