package import AgentProtocol
package import KeyLifecycle
import Platform

extension SignatureFacts {
    /// What an access rule has to know of claims.
    package init(_ claims: ClaimsObject) {
        self.init(subject: claims.subject, audience: claims.audience) { claims.otherNames }
    }
}

extension ClaimsFacts {
    /// What the policy has to know of a request.
    package init(_ request: SignRequest) {
        let claims = request.claims
        self.init(
            issuer: claims.issuer, hasAudience: !claims.audience.isEmpty, issuedAt: claims.issuedAt,
            notBefore: claims.notBefore, expiresAt: claims.expiration, lifetime: request.lifetimeSeconds,
            isComplete: request.isPayload)
    }
}

extension SignRequest {
    /// The `jti` of the JWT: the one it came with, or a new one where it may be filled in.
    package func tokenID() -> String? {
        if let id = claims.id { return id }
        return isPayload ? nil : SystemRandom.uuid()
    }

    /// The bytes to be signed: a payload as it came, claims with what was absent filled in.
    ///
    /// - Parameter tokenID: what `tokenID()` has returned.
    package func payload(_ grant: ClaimsGrant, _ issuerURL: String, tokenID: String?) -> [UInt8] {
        guard !isPayload else { return claims.bytes }
        return claims.filling(
            issuer: issuerURL, issuedAt: grant.issuedAt, notBefore: grant.notBefore, expiration: grant.expiresAt,
            id: tokenID ?? "")
    }
}
