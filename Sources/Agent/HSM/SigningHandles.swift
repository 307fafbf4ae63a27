import JOSE
import KeyLifecycle
import PKCS11

/// The private keys one session has used: each is searched once, because a search costs time in proportion to the objects
/// on the token, and stays bound to its kid by the signatures that were verified.
struct SigningHandles {
    private struct Handle {
        let object: ObjectHandle
        var signatures = 0
    }

    private var handles: [KeyID: Handle] = [:]

    /// Of the EC and EdDSA signatures after a handle's first, one in this many is verified: verifying costs more than signing.
    private static let sample = 64
    /// Entries before the cache starts anew, so that ended keys do not stay for ever.
    private static let limit = 4_096

    /// Signs, and verifies what has to be verified before it may leave.
    ///
    /// - Parameter verifying: verify whatever else would do.
    /// - Throws: `PKCS11Error`; `HSMError` with `.keyUnavailable` for a key that is not there, `.signatureFaulty` for one that
    ///   signs wrongly.
    mutating func sign(_ job: SigningJob, _ session: borrowing Session, verifying: Bool) throws -> [UInt8] {
        let key = job.key
        let handle = try handle(for: key, session)
        let signature = try key.algorithm.sign(job.digest, session, handle.object)
        handles[key.keyID]?.signatures += 1
        guard verifying || mustVerify(key.algorithm, handle.signatures) else { return signature }
        guard key.verifier.isValid(signature: signature, for: job.digest) else {
            handles[key.keyID] = nil
            throw HSMError(
                .signatureFaulty, "the token's signature with key \(key.kid) does not verify",
                hint: "rotate the issuer and have the HSM examined: a faulty signature can give the key away")
        }
        return signature
    }

    /// Every RSA signature: a faulty one lets others compute the key. Of EC and EdDSA, the first by each handle and a sample.
    private func mustVerify(_ algorithm: SignatureAlgorithm, _ earlier: Int) -> Bool {
        algorithm.verifiesEverySignature || earlier.isMultiple(of: Self.sample)
    }

    private mutating func handle(for key: KeyReference, _ session: borrowing Session) throws -> Handle {
        if let known = handles[key.keyID] { return known }
        let object = try find(key, session)
        // SoftHSM would sign with a key of another type all the same.
        guard try key.algorithm.isKeyType(of: object, session) else {
            throw HSMError(
                .keyUnavailable, "the object of key \(key.kid) is of another key type or curve",
                hint: "check that this is the token the key was made on")
        }
        if handles.count >= Self.limit { handles = [:] }
        let handle = Handle(object: object)
        handles[key.keyID] = handle
        return handle
    }

    private func find(_ key: KeyReference, _ session: borrowing Session) throws -> ObjectHandle {
        do throws(PKCS11Error) {
            return try session.findKey(.privateKey, id: key.keyID.bytes)
        } catch {
            guard error.isAbsence else { throw error }
            throw HSMError(
                .keyUnavailable, "key \(key.kid): \(error)", hint: "check that this is the token the key was made on",
                cause: error)
        }
    }
}
