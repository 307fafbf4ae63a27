import JOSE
import KeyLifecycle
import PKCS11
import Platform

/// Generates, reads and destroys keys: work for the management thread.
final class TokenManagement: Sendable {
    let access: TokenAccess
    private let thread: ManagementThread
    private let rules: CustodyRules
    private let templates = AcceptedTemplates()
    let seenNotes = Locked(SeenNotes())

    init(access: TokenAccess, thread: ManagementThread, rules: CustodyRules) {
        self.access = access
        self.thread = thread
        self.rules = rules
    }

    /// Runs work that finds what it needs by itself, and may so be run a second time on another session.
    func perform<Value: Sendable>(
        writing isWriting: Bool = false, long isLong: Bool = false,
        isAwaited: @escaping @Sendable () -> Bool = { true },
        _ work: @escaping @Sendable (borrowing Session) throws -> Value
    ) async throws -> Value {
        try await thread.perform(
            ManagementThread.Kind(isWriting: isWriting, isLong: isWriting || isLong, isRepeatable: true),
            isAwaited: isAwaited, work)
    }

    /// Runs work that must not be run a second time before somebody has looked what came of the first.
    private func performOnce<Value: Sendable>(
        isAwaited: @escaping @Sendable () -> Bool, _ work: @escaping @Sendable (borrowing Session) throws -> Value
    ) async throws -> Value {
        try await thread.perform(
            ManagementThread.Kind(isWriting: true, isLong: true, isRepeatable: false), isAwaited: isAwaited, work)
    }
}

extension TokenManagement: KeyCustody {
    var tokenGeneration: Int { access.generation }

    func requireMechanisms(
        for specification: KeySpecification, isAwaited: @escaping @Sendable () -> Bool
    ) async throws {
        try await perform(isAwaited: isAwaited) { session in try specification.requireMechanisms(of: session.slot) }
    }

    func hasten() { thread.hasten() }

    func generate(
        _ specification: KeySpecification, keyID: KeyID, label: String, isAwaited: @escaping @Sendable () -> Bool
    ) async throws -> GeneratedKey {
        let generation = KeyGeneration(
            specification: specification, keyID: keyID, label: label, rules: rules, templates: templates)
        return try await performOnce(isAwaited: isAwaited) { [access] session in
            let held = try generation.run(session)
            access.knownHandles.note(held.privateKey, of: keyID, generation: access.generation)
            return held.key
        }
    }

    func requireUnused(_ keyID: KeyID, isAwaited: @escaping @Sendable () -> Bool) async throws {
        let isUsed = try await perform(isAwaited: isAwaited) { [access] session in
            // A search costs time in proportion to the objects on the token: one that has been looked at as a whole is asked
            // for a key that it has, to see that it answers.
            let generation = access.generation
            if let hadObject = access.knownHandles.hadObject(of: keyID, generation: generation),
                let known = access.knownHandles.any(generation: generation),
                try session.shows(known.object, as: .privateKey, of: known.keyID)
            {
                return hadObject
            }
            return try !session.objects(of: keyID).isEmpty
        }
        guard !isUsed else {
            throw HSMError(
                .unavailable, "the token claims to hold a key that was never made", hint: "have the token examined")
        }
    }

    func heldKey(_ keyID: KeyID, for algorithm: SignatureAlgorithm) async throws -> GeneratedKey? {
        try await perform { [rules] session in
            guard let held = try session.heldKey(keyID, for: algorithm), rules.refusals(held.custody).isEmpty else { return nil }
            return held.key
        }
    }

    func publicKey(of keyID: KeyID) async throws -> [UInt8]? {
        try await perform { session in
            do {
                _ = try session.findKey(.privateKey, id: keyID.bytes)
            } catch let error as PKCS11Error where error.isAbsence {
                return nil
            }
            return try session.subjectPublicKeyInfo(ofKey: keyID.bytes)
        }
    }

    func contains(_ keyID: KeyID) async throws -> Bool {
        try await perform { session in try !session.objects(of: keyID).isEmpty }
    }

    func attributes(of keyID: KeyID) async throws -> CustodyAttributes? {
        try await perform { [access] session in
            do throws(PKCS11Error) {
                if let known = try access.knownPrivateKey(keyID, session) { return try session.custody(of: known) }
                return try session.custody(of: session.findKey(.privateKey, id: keyID.bytes))
            } catch {
                guard error.isAbsence else { throw error }
                return nil
            }
        }
    }
}

extension Session {
    /// The public half with this `CKA_ID`; `nil` when the token does not show one, or more than one.
    func subjectPublicKeyInfo(ofKey id: [UInt8]) throws -> [UInt8]? {
        do {
            return try PublicKey(publicKey(of: findKey(.publicKey, id: id))).subjectPublicKeyInfo
        } catch let error as PKCS11Error where error.isAbsence {
            return nil
        }
    }
}
