import KeyLifecycle
import PKCS11
import Platform

/// The private keys the token has shown, so that no session has to search for them: a search costs time in proportion to the
/// objects on the token.
///
/// A handle belongs to the application, but only the session that got it is sure to be able to go on using it (PKCS #11 v3.1
/// §3.4, CK_OBJECT_HANDLE). So one from here is tried, its first signature verified, and what does not work is searched for.
final class KnownHandles: Sendable {
    private struct State {
        var generation = 0
        var objects: [KeyID: ObjectHandle] = [:]
        /// Every `CKA_ID` of our length that the token had when it was looked at as a whole; nil before it was.
        var keyIDs: Set<KeyID>?
        var auditKeys: [String: [KeyID: KeyPair]] = [:]
    }

    private let state = Locked(State())

    /// - Parameter generation: of the module's initialisation in which it is to be used.
    func object(of keyID: KeyID, generation: Int) -> ObjectHandle? {
        state.withLock { $0.generation == generation ? $0.objects[keyID] : nil }
    }

    /// One of those that are known.
    func any(generation: Int) -> (keyID: KeyID, object: ObjectHandle)? {
        state.withLock { $0.generation == generation ? $0.objects.first.map { ($0.key, $0.value) } : nil }
    }

    /// Whether the token had an object with this `CKA_ID` when it was looked at as a whole; nil when it was not.
    func hadObject(of keyID: KeyID, generation: Int) -> Bool? {
        state.withLock { $0.generation == generation ? $0.keyIDs?.contains(keyID) : nil }
    }

    /// The pairs with the label of an audit key that the token had when it was looked at as a whole.
    func auditKeys(labelled label: String, generation: Int) -> [KeyID: KeyPair] {
        state.withLock { $0.generation == generation ? $0.auditKeys[label] ?? [:] : [:] }
    }

    /// Takes down everything the token has shown at once, in place of what was known.
    ///
    /// - Parameters:
    ///   - keyIDs: of all its objects, also of those that are none of ours.
    ///   - auditKeys: by their label.
    func replace(
        by objects: [KeyID: ObjectHandle], keyIDs: Set<KeyID>, auditKeys: [String: [KeyID: KeyPair]], generation: Int
    ) {
        state.withLock { $0 = State(generation: generation, objects: objects, keyIDs: keyIDs, auditKeys: auditKeys) }
    }

    func note(_ object: ObjectHandle, of keyID: KeyID, generation: Int) {
        state.withLock { state in
            if state.generation != generation { state = State(generation: generation) }
            state.objects[keyID] = object
        }
    }

    func forget(_ keyID: KeyID) {
        state.withLock { $0.objects[keyID] = nil }
    }
}

extension TokenAccess {
    /// The private key where the token has last shown it, if it is still there; nil says that it has to be searched for.
    func knownPrivateKey(_ keyID: KeyID, _ session: borrowing Session) throws(PKCS11Error) -> ObjectHandle? {
        guard let object = knownHandles.object(of: keyID, generation: generation),
            try session.shows(object, as: .privateKey, of: keyID)
        else { return nil }
        return object
    }
}
