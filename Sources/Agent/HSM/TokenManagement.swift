import JOSE
import KeyLifecycle
import PKCS11

/// Generates, reads and destroys keys: work for the management thread.
final class TokenManagement: Sendable {
    let access: TokenAccess
    private let thread: ManagementThread

    init(access: TokenAccess, thread: ManagementThread) {
        self.access = access
        self.thread = thread
    }

    /// Runs work that finds what it needs by itself, and may so be run a second time on another session.
    func perform<Value: Sendable>(
        writing isWriting: Bool = false, _ work: @escaping @Sendable (borrowing Session) throws -> Value
    ) async throws -> Value {
        try await thread.perform(ManagementThread.Kind(isWriting: isWriting, isRepeatable: true), work)
    }

    /// Runs work that must not be run a second time before somebody has looked what came of the first.
    private func performOnce<Value: Sendable>(
        _ work: @escaping @Sendable (borrowing Session) throws -> Value
    ) async throws -> Value {
        try await thread.perform(ManagementThread.Kind(isWriting: true, isRepeatable: false), work)
    }
}

extension TokenManagement: KeyCustody {
    var tokenGeneration: Int { access.generation }

    func generate(_ algorithm: SignatureAlgorithm, keyID: KeyID, label: String) async throws -> GeneratedKey {
        try await performOnce { session in
            let pair = try session.generateKeyPair(algorithm.keyPair, id: keyID.bytes, label: label)
            let refusals = try session.custody(of: pair.privateKey).refusals
            guard refusals.isEmpty else {
                try? session.destroyObject(pair.privateKey)
                try? session.destroyObject(pair.publicKey)
                throw HSMError(
                    .custodyRefused,
                    "the token holds the generated key otherwise than asked: " + refusals.joined(separator: ", "),
                    hint: "use a token that keeps keys sensitive, local and for signing only")
            }
            let key = try PublicKey(session.publicKey(of: pair.publicKey))
            return GeneratedKey(keyID: keyID, kid: key.kid, algorithm: algorithm, publicKey: key.subjectPublicKeyInfo)
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
        try await perform { session in
            do throws(PKCS11Error) {
                return try session.custody(of: session.findKey(.privateKey, id: keyID.bytes))
            } catch {
                guard error.isAbsence else { throw error }
                return nil
            }
        }
    }
}

extension Session {
    /// The key objects with this `CKA_ID`, private ones first.
    fileprivate func objects(of keyID: KeyID) throws(PKCS11Error) -> [ObjectHandle] {
        try findObjects([.class(.privateKey), .id(keyID.bytes)]) + findObjects([.class(.publicKey), .id(keyID.bytes)])
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

extension PublicKey {
    init(_ material: PublicKeyMaterial) throws {
        switch material {
        case .rsa(let modulus, let exponent): try self.init(rsaModulus: modulus, exponent: exponent)
        case .ec(_, let point): try self.init(p256Point: point)
        }
    }
}

extension SignatureAlgorithm {
    fileprivate var keyPair: KeyPairAlgorithm {
        switch self {
        case .rs256: .rsa(modulusBits: 2_048)
        case .es256: .ec(.p256)
        }
    }
}
