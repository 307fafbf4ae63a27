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
    }

    private let state = Locked(State())

    /// - Parameter generation: of the module's initialisation in which it is to be used.
    func object(of keyID: KeyID, generation: Int) -> ObjectHandle? {
        state.withLock { $0.generation == generation ? $0.objects[keyID] : nil }
    }

    /// Takes down everything the token has shown at once, in place of what was known.
    func replace(by objects: [KeyID: ObjectHandle], generation: Int) {
        state.withLock { $0 = State(generation: generation, objects: objects) }
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
