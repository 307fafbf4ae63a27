import Foundation
import JOSE
public import KeyLifecycle
import PKCS11
import Platform

/// One of the two processes that try what becomes of a key in the one when the other destroys it.
///
/// Each call blocks, and a key is named by its `CKA_ID`, which the two have agreed about before it is made.
/// - Throws: `HSMError` from every call.
public final class FenceTestParty {
    /// What a process can do with a key that another one has destroyed.
    public enum Outcome: Hashable, Sendable {
        case signs
        /// Why not, by the return value where there is one.
        case stopped(String)
    }

    /// Of the key, and of nothing else on a token. It is none that reconciliation takes for an issuer's.
    private static let label = "privyseal-fence-test"

    private let access: TokenAccess
    private let session: Session
    private let rules: CustodyRules
    private var used: (object: ObjectHandle, publicKey: PublicKey)?

    /// Loads the module and logs in.
    ///
    /// - Throws: `HSMError`, with `.pinRefused` when the token did not take the PIN.
    public init(_ configuration: AgentConfiguration) throws {
        rules = configuration.hsm.custody
        do {
            access = try TokenAccess.start(configuration.hsm, pin: configuration.pin.read())
            do {
                session = try access.openFirstSession()
            } catch {
                access.end()
                throw error
            }
        } catch let error as PKCS11Error {
            throw HSMError(error, todo: "check the token section of the configuration")
        }
    }

    /// The token, by label and serial number.
    public var token: (label: String, serial: String) { (access.info.label, access.info.serialNumber) }

    /// Makes the key: P-256 where the token has that, RSA otherwise.
    public func makeKey(_ keyID: KeyID) throws {
        try asHSM {
            let generation = KeyGeneration(
                specification: try specification(), keyID: keyID, label: Self.label, rules: rules, templates: AcceptedTemplates(),
                made: {})
            _ = try generation.run(session)
        }
    }

    private func specification() throws -> KeySpecification {
        let elliptic = KeySpecification(.es256, rsaBits: nil)
        do {
            try elliptic.requireMechanisms(of: session.slot)
            return elliptic
        } catch let error as HSMError where error.code == .unsupported {
            let rsa = KeySpecification(.rs256, rsaBits: 2_048)
            try rsa.requireMechanisms(of: session.slot)
            return rsa
        }
    }

    /// Destroys both halves, as far as they are there.
    public func destroyKey(_ keyID: KeyID) throws {
        try asHSM { try session.destroyOwn(keyID, labelled: Self.label) }
    }

    /// Finds the key, which the token may show a moment late, signs with it, and keeps its handle.
    public func use(_ keyID: KeyID) throws {
        try asHSM {
            for _ in 1...50 {
                if let found = try find(keyID, session) {
                    used = found
                    break
                }
                Thread.sleep(forTimeInterval: 0.1)
            }
            guard let used else {
                throw HSMError(
                    .keyUnavailable, "the token does not show one process a key that another one has made",
                    hint: "check that the module and its configuration are the same for both")
            }
            guard try isSigned(by: used, session) else {
                throw HSMError(
                    .signatureFaulty, "the token's signature with the key is not valid", hint: "have the token examined")
            }
        }
    }

    /// Signs once more with the handle that was kept, in the session in which it has signed before.
    public func useAgain() -> Outcome {
        guard let used else { return .stopped("never used") }
        return outcome { try isSigned(by: used, session) }
    }

    /// Looks for the key in a fresh session, and signs with it if it is there.
    public func useAnew(_ keyID: KeyID) -> Outcome {
        outcome {
            let fresh = try access.openSession(.readOnly)
            guard let found = try find(keyID, fresh) else { throw PKCS11Error(.objectNotFound, "the token shows no such key") }
            return try isSigned(by: found, fresh)
        }
    }

    /// Finalises the module.
    public func end() { access.end() }

    private func outcome(_ sign: () throws -> Bool) -> Outcome {
        do {
            return try sign() ? .signs : .stopped("no valid signature")
        } catch let error as PKCS11Error {
            return .stopped(error.returnValue.map { "\($0)" } ?? "not found")
        } catch {
            return .stopped("\(error)")
        }
    }

    private func find(_ keyID: KeyID, _ session: borrowing Session) throws -> (object: ObjectHandle, publicKey: PublicKey)? {
        for algorithm in [SignatureAlgorithm.es256, .rs256] {
            guard let held = try session.heldKey(keyID, for: algorithm) else { continue }
            return (held.privateKey, try PublicKey(subjectPublicKeyInfo: held.key.publicKey))
        }
        return nil
    }

    private func isSigned(
        by key: (object: ObjectHandle, publicKey: PublicKey), _ session: borrowing Session
    ) throws -> Bool {
        try session.isSigned(by: key.object, key.publicKey, key.publicKey.keyType == .rsa ? .rs256 : .es256)
    }

    private func asHSM<Value>(_ work: () throws -> Value) throws -> Value {
        do {
            return try work()
        } catch let error as PKCS11Error {
            throw HSMError(error)
        }
    }
}
