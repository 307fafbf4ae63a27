import JOSE
import KeyLifecycle
import PKCS11

/// The one thread that generates, reads and destroys keys, off the signing path and one request after the other: SoftHSM
/// fails under parallel generation.
///
/// Its session stays open for the life of the agent, which keeps the process logged in.
final class TokenManagement: Sendable {
    private struct Command: Sendable {
        let run: @Sendable (borrowing Session) -> Void
        let fail: @Sendable (HSMError) -> Void
    }

    let access: TokenAccess
    private let queue = BlockingQueue<Command>(limit: 4_096)

    init(access: TokenAccess) {
        self.access = access
    }

    /// Carries out commands until the queue is closed and empty. Runs on a thread of its own.
    ///
    /// - Parameter first: the session that logged the process in.
    func run(_ first: consuming Session) {
        var next = serve(first, startingWith: nil)
        while let command = next {
            do throws(PKCS11Error) {
                next = serve(try access.openSession(.readWrite), startingWith: command)
            } catch {
                command.fail(
                    HSMError(
                        .unavailable, "no session with the token: \(error)", hint: error.hint ?? "check the token", cause: error))
                next = queue.pop()
            }
        }
    }

    func close() {
        queue.close()
    }

    /// Carries out commands on one session.
    ///
    /// The session is asked before each command whether it is still good, because a failed generation must not be tried
    /// again blindly.
    /// - Returns: the command to go on with on another session; `nil` when there are no more.
    private func serve(_ session: consuming Session, startingWith first: Command?) -> Command? {
        var next = first ?? queue.pop()
        while let command = next {
            guard (try? session.info())?.state == .readWriteUser else { return command }
            command.run(session)
            next = queue.pop()
        }
        return nil
    }

    func perform<Value: Sendable>(
        _ work: @escaping @Sendable (borrowing Session) throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            let command = Command(
                run: { session in
                    do {
                        continuation.resume(returning: try work(session))
                    } catch let error as HSMError {
                        continuation.resume(throwing: error)
                    } catch let error as PKCS11Error {
                        continuation.resume(throwing: HSMError(error))
                    } catch {
                        continuation.resume(
                            throwing: HSMError(
                                .unavailable, "what the token shows of a key cannot be used: \(error)",
                                hint: "have the token examined", cause: error))
                    }
                },
                fail: { continuation.resume(throwing: $0) })
            do {
                try queue.push(command)
            } catch {
                continuation.resume(
                    throwing: HSMError(
                        .shuttingDown, "no more work is taken for the token", hint: "try again in a moment"))
            }
        }
    }
}

extension TokenManagement: KeyCustody {
    var tokenGeneration: Int { access.generation }

    func generate(_ algorithm: SignatureAlgorithm, keyID: KeyID, label: String) async throws -> GeneratedKey {
        try await perform { session in
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
                let object = try session.findKey(.publicKey, id: keyID.bytes)
                return try PublicKey(session.publicKey(of: object)).subjectPublicKeyInfo
            } catch let error as PKCS11Error where error.isAbsence {
                return nil
            }
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
