import JOSE
import KeyLifecycle
import Platform

/// A signing key as the signing path needs it: which object of the token, and what a JWT of it looks like.
///
/// Made once when the key enters its ring and shared by every request, so that no request parses a public key.
final class KeyReference: Sendable {
    let kid: String
    let keyID: KeyID
    let algorithm: SignatureAlgorithm
    let publicKey: PublicKey
    let header: ProtectedHeader
    let verifier: SignatureVerifier
    let use = InFlightCounter()
    private let latest = Locked(Timestamp?.none)

    /// - Throws: `JOSEError` when the stored public key is none, or not one for the algorithm.
    init(_ key: SigningKey) throws {
        let jws = key.algorithm.jws
        kid = key.kid
        keyID = key.keyID
        algorithm = key.algorithm
        publicKey = try PublicKey(subjectPublicKeyInfo: key.publicKey)
        header = ProtectedHeader(algorithm: jws, kid: key.kid)
        verifier = try publicKey.verifier(for: jws)
    }

    /// The latest `exp` among the JWTs signed with it since the agent started.
    var latestExpiry: Timestamp? { latest.withLock { $0 } }

    /// Notes that a JWT of it lives until then.
    func noteSigned(until expiry: Timestamp) {
        latest.withLock { $0 = max(expiry, $0 ?? expiry) }
    }
}
