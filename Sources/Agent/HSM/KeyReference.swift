import JOSE
import KeyLifecycle
import Platform
import Synchronization

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
    /// Until when its signatures may be handed over, in nanoseconds of the monotonic clock.
    private let end = Atomic(Int64.max)

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

    /// Until when its signatures may be handed over; `Int64.max` as long as no other agent has replaced it.
    var until: Int64 { end.load(ordering: .acquiring) }

    /// Another agent has replaced it: what is under way with it may still be handed over until then, and not later.
    ///
    /// - Parameter moment: in nanoseconds of the monotonic clock; 0 for a key that has been revoked.
    func limit(to moment: Int64) {
        end.min(moment, ordering: .acquiringAndReleasing)
    }
}
