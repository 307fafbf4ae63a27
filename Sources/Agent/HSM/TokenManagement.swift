import JOSE
import KeyLifecycle
import Logging
import PKCS11
import Platform

/// Generates, reads and destroys keys: work for the management line.
final class TokenManagement: Sendable {
    let access: TokenAccess
    private let line: ManagementLine
    let recovery: TokenRecovery
    private let status: HSMStatus
    let rules: CustodyRules
    private let templates = AcceptedTemplates()
    private let refusedKeys: RefusedKeys
    /// What the module has been initialised anew for because it would not destroy it.
    private let heldKeys = Locked<Set<KeyID>>([])
    let log: Logger
    let seenNotes = Locked(SeenNotes())

    init(
        access: TokenAccess, line: ManagementLine, recovery: TokenRecovery, status: HSMStatus, rules: CustodyRules,
        clock: AgentClock, log: Logger
    ) {
        self.access = access
        self.line = line
        self.recovery = recovery
        self.status = status
        self.rules = rules
        refusedKeys = RefusedKeys(clock: clock)
        self.log = log
    }

    func isFirstRenewal(for keyID: KeyID) -> Bool {
        heldKeys.withLock { $0.insert(keyID).inserted }
    }

    /// Runs work that finds what it needs by itself, and may so be run a second time on another session.
    func perform<Value: Sendable>(
        writing isWriting: Bool = false, long isLong: Bool = false, as background: WorkClass = .generation,
        urgency: Urgency = .awaited,
        _ work: @escaping @Sendable (borrowing Session) throws -> Value
    ) async throws -> Value {
        try await line.perform(
            ManagementLine.Kind(isWriting: isWriting, isLong: isWriting || isLong, isRepeatable: true), as: background,
            urgency: urgency, work)
    }

    /// Runs work that must not be run a second time before its caller has looked what came of the first.
    func performOnce<Value: Sendable>(
        urgency: Urgency, _ work: @escaping @Sendable (borrowing Session) throws -> Value
    ) async throws -> Value {
        try await line.perform(
            ManagementLine.Kind(isWriting: true, isLong: true, isRepeatable: false), urgency: urgency, work)
    }
}

extension TokenManagement: KeyCustody {
    var tokenGeneration: Int { access.generation }

    func requireMechanisms(for specification: KeySpecification, urgency: Urgency) async throws {
        try refusedKeys.requireWorthwhile(specification)
        try await perform(urgency: urgency) { session in try specification.requireMechanisms(of: session.slot) }
    }

    func boost() { line.boost() }

    func reserve() { line.reserve() }

    func release() { line.release() }

    func leaveDestructions() { line.leaveDestructions() }

    func generate(
        _ specification: KeySpecification, keyID: KeyID, label: String, urgency: Urgency
    ) async throws -> GeneratedKey {
        let generation = KeyGeneration(
            specification: specification, keyID: keyID, label: label, rules: rules, templates: templates,
            made: { [access] in access.notePair() })
        do {
            let key = try await performOnce(urgency: urgency) { [self] session in
                let held = try generation.run(session)
                access.knownHandles.note(held.privateKey, of: keyID, generation: access.generation)
                noteRoom(session)
                return held.key
            }
            refusedKeys.forget(specification)
            return key
        } catch let error as HSMError {
            if error.code == .custodyRefused {
                access.noteRefusedPair()
                refusedKeys.note(error, for: specification)
            }
            guard error.mayBeWantOfRoom, let room = try? await perform({ [access] in try access.room($0) }) else { throw error }
            throw error.with(room)
        }
    }

    func makeRoom() async -> Bool {
        let pairs = access.pairs
        guard pairs > 0, await recovery.renew() else { return false }
        log.notice(
            "initialised the PKCS#11 module anew to get back what the keys made under it had used up",
            metadata: ["pairs": "\(pairs)"])
        status.noteDisturbance(.renewed(after: pairs))
        return true
    }

    /// Notes what room the token has, where it says so.
    func noteRoom(_ session: borrowing Session) {
        // Of no use to know for a token that does not say it just now.
        guard let room = try? access.room(session) else { return }
        let shortage = room.shortage
        guard status.setShortage(shortage), let shortage else { return }
        log.warning("the token has little room", metadata: ["reason": "\(shortage)", "hint": "\(shortage.hint)"])
    }

    func requireUnused(_ keyID: KeyID, urgency: Urgency) async throws {
        let isUsed = try await perform(urgency: urgency) { [access] session in
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

    func heldKey(
        _ keyID: KeyID, labelled label: KeyLabel, for algorithm: SignatureAlgorithm
    ) async throws -> GeneratedKey? {
        try await perform { [rules] session in
            // With another's beside it, no session could tell which of the two to sign with.
            guard let pair = try session.ownPair(keyID, labelled: label), try session.objects(of: keyID).count == 2,
                let held = try session.heldKey(keyID, for: algorithm, asMade: pair), held.privateKey == pair.privateKey,
                rules.refusals(held.custody).isEmpty
            else { return nil }
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

    func publicKey(of keyID: KeyID, labelled label: KeyLabel) async throws -> [UInt8]? {
        try await perform { session in
            try session.ownPair(keyID, labelled: label).flatMap { pair in
                try PublicKey(session.publicKey(of: pair.publicKey)).subjectPublicKeyInfo
            }
        }
    }

    func contains(_ keyID: KeyID, labelled label: KeyLabel) async throws -> Bool {
        try await perform { session in
            let label = label.description
            return try !session.claimed(.privateKey, of: keyID, labelled: label).likelyOwn.isEmpty
                || !session.claimed(.publicKey, of: keyID, labelled: label).likelyOwn.isEmpty
        }
    }

    func attributes(of keyIDs: [KeyID]) async -> [KeyID: CustodyAttributes] {
        // Keys are not to be made in the background in between; but what other callers wait for is done between any two pieces.
        line.reserve()
        defer { line.release() }
        var attributes: [KeyID: CustodyAttributes] = [:]
        for start in stride(from: 0, to: keyIDs.count, by: Self.mostAtOnce) {
            let piece = keyIDs[start...].prefix(Self.mostAtOnce)
            attributes.merge((try? await attributesAtOnce(of: piece)) ?? [:]) { $1 }
        }
        return attributes
    }

    func heldAsWanted(_ keyIDs: [KeyID]) async -> Set<KeyID> {
        Set(await attributes(of: keyIDs).filter { rules.refusals($0.value).isEmpty }.keys)
    }

    /// Keys that are looked at in one piece of work: other callers wait for as much.
    private static var mostAtOnce: Int { 16 }

    private func attributesAtOnce(of keyIDs: ArraySlice<KeyID>) async throws -> [KeyID: CustodyAttributes] {
        try await perform(long: true) { [access] session in
            var shown: [KeyID: CustodyAttributes] = [:]
            for keyID in keyIDs {
                do throws(PKCS11Error) {
                    let known = try access.knownPrivateKey(keyID, session)
                    // Not by ??, which forgets the type of what is thrown.
                    let object = if let known { known } else { try session.findKey(.privateKey, id: keyID.bytes) }
                    shown[keyID] = try session.custody(of: object)
                } catch {
                    guard error.isAbsence else { throw error }
                }
            }
            return shown
        }
    }
}

extension Session {
    /// The complete pair with this `CKA_ID` that is ours by its labels; `nil` when there is none, or more than one.
    fileprivate func ownPair(_ keyID: KeyID, labelled label: KeyLabel) throws(PKCS11Error) -> KeyPair? {
        let privateKeys = try claimed(.privateKey, of: keyID, labelled: label.description).likelyOwn
        let publicKeys = try claimed(.publicKey, of: keyID, labelled: label.description).likelyOwn
        guard privateKeys.count == 1, publicKeys.count == 1 else { return nil }
        return KeyPair(publicKey: publicKeys[0], privateKey: privateKeys[0])
    }

    /// The public half with this `CKA_ID`; `nil` when the token does not show one, or more than one.
    func subjectPublicKeyInfo(ofKey id: [UInt8]) throws -> [UInt8]? {
        do {
            return try PublicKey(publicKey(of: findKey(.publicKey, id: id))).subjectPublicKeyInfo
        } catch let error as PKCS11Error where error.isAbsence {
            return nil
        }
    }
}

extension HSMError {
    fileprivate static func renewed(after pairs: Int) -> HSMError {
        HSMError(
            .unavailable,
            "the token had no room for another key after \(pairs) key pairs; the module was initialised anew, and then it had",
            hint: "a TPM needs a resource manager with room for two objects for each key that is made")
    }
}
