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
    private let known: KnownHandles?
    private let generation: Int

    /// - Parameters:
    ///   - known: what other sessions have found; nil to search for every key.
    ///   - generation: of the module's initialisation that the session belongs to.
    init(_ known: KnownHandles? = nil, generation: Int = 0) {
        self.known = known
        self.generation = generation
    }

    /// Of the EC and EdDSA signatures after a handle's first, one in this many is verified: verifying costs more than signing.
    private static let sample = 64
    /// Entries before the cache starts anew, so that ended keys do not stay for ever.
    private static let limit = 4_096

    /// Whether the next signature with this key needs no search.
    func hasFound(_ key: KeyReference) -> Bool {
        handles[key.keyID] != nil
    }

    /// Signs, and verifies what has to be verified before it may leave.
    ///
    /// - Parameter verifying: verify whatever else would do.
    /// - Throws: `PKCS11Error`; `HSMError` with `.keyUnavailable` for a key that is not there, `.signatureFaulty` for one that
    ///   signs wrongly.
    mutating func sign(
        _ input: [UInt8], with key: KeyReference, _ session: borrowing Session, verifying: Bool
    ) throws -> [UInt8] {
        let digest = SigningDigest(of: input, for: key.algorithm.jws)
        let place: Dictionary<KeyID, Handle>.Index
        if let known = handles.index(forKey: key.keyID) {
            place = known
        } else if let signature = try signByKnownHandle(key, digest, session) {
            return signature
        } else {
            place = try search(for: key, session)
        }
        let signature = try key.algorithm.sign(digest, session, handles.values[place].object)
        let earlier = handles.values[place].signatures
        handles.values[place].signatures += 1
        guard verifying || mustVerify(key.algorithm, earlier) else { return signature }
        guard key.verifier.isValid(signature: signature, for: digest) else {
            handles[key.keyID] = nil
            throw HSMError.faulty(key)
        }
        return signature
    }

    /// Signs with the handle that another session has found; nil when there is none, or not of this key any more.
    private mutating func signByKnownHandle(
        _ key: KeyReference, _ digest: SigningDigest, _ session: borrowing Session
    ) throws -> [UInt8]? {
        guard let known, let object = known.object(of: key.keyID, generation: generation) else { return nil }
        do {
            // Of no use to the next session either, whatever the error: it is to search.
            defer { if handles[key.keyID] == nil { known.forget(key.keyID) } }
            if try key.algorithm.isKeyType(of: object, session) {
                let signature = try key.algorithm.sign(digest, session, object)
                if key.verifier.isValid(signature: signature, for: digest) {
                    keep(Handle(object: object, signatures: 1), of: key)
                    return signature
                }
                if try find(key, session) == object { throw HSMError.faulty(key) }
            }
        } catch let error as PKCS11Error where Reaction(to: error).mayBeOfHandle {
            // The search that follows finds the key, or the true error.
        }
        return nil
    }

    /// Every RSA signature: a faulty one lets others compute the key. Of EC and EdDSA, the first by each handle and a sample.
    private func mustVerify(_ algorithm: SignatureAlgorithm, _ earlier: Int) -> Bool {
        algorithm.verifiesEverySignature || earlier.isMultiple(of: Self.sample)
    }

    /// Searches the token for the key, and returns the place of its handle.
    private mutating func search(
        for key: KeyReference, _ session: borrowing Session
    ) throws -> Dictionary<KeyID, Handle>.Index {
        let object = try find(key, session)
        // SoftHSM would sign with a key of another type all the same.
        guard try key.algorithm.isKeyType(of: object, session) else {
            throw HSMError(
                .keyUnavailable, "the object of key \(key.kid) is of another key type or curve",
                hint: "check that this is the token the key was made on")
        }
        keep(Handle(object: object), of: key)
        known?.note(object, of: key.keyID, generation: generation)
        // `keep` has just put it there.
        return handles.index(forKey: key.keyID)!
    }

    private mutating func keep(_ handle: Handle, of key: KeyReference) {
        if handles.count >= Self.limit { handles = [:] }
        handles[key.keyID] = handle
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

extension HSMError {
    fileprivate static func faulty(_ key: KeyReference) -> HSMError {
        HSMError(
            .signatureFaulty, "the token's signature with key \(key.kid) does not verify",
            hint: "rotate the issuer and have the HSM examined: a faulty signature can give the key away")
    }
}
