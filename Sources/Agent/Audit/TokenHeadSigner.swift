import Foundation
public import IssuerStore
import JOSE
import KeyLifecycle
import PKCS11
import Platform

/// Signs heads with the audit key: a P-256 pair in the token that is in no JWKS and is never destroyed.
///
/// Its label begins otherwise than those of signing keys, so that it is somebody else's object to reconciliation.
final class TokenHeadSigner: HeadSigner {
    private let token: TokenManagement
    private let deployment: String
    /// The key, once it has been seen: another is not made because the token does not show it for a while.
    private let kid = Locked(String?.none)

    init(_ token: TokenManagement, deployment: String) {
        self.token = token
        self.deployment = deployment
    }

    static func label(of deployment: String) -> String { "privyseal-audit/\(deployment)" }

    /// Looks for the key, and makes one when the token has none.
    ///
    /// - Throws: `HSMError`.
    func prepare() async throws {
        _ = try await keyID()
    }

    func sign(_ statement: [UInt8]) async throws -> (signature: [UInt8], kid: String) {
        let keyID = try await keyID()
        let digest = SigningDigest(of: statement, for: .es256)
        return try await token.perform { session in
            let key = try session.findKey(.privateKey, id: keyID.bytes)
            let publicKey = try PublicKey(session.publicKey(of: session.findKey(.publicKey, id: keyID.bytes)))
            let signature = try SignatureAlgorithm.es256.sign(digest, session, key)
            guard try publicKey.verifier(for: .es256).isValid(signature: signature, for: digest) else {
                throw HSMError(
                    .signatureFaulty, "the token's signature with the audit key is not valid", hint: "have the token examined")
            }
            return (signature, publicKey.kid)
        }
    }

    private func keyID() async throws -> KeyID {
        let label = Self.label(of: deployment)
        let wanted = kid.withLock { $0 }
        let found = try await token.perform { session in try session.auditKey(labelled: label, wanted: wanted) }
        if let found {
            kid.withLock { $0 = found.kid }
            return found.keyID
        }
        guard wanted == nil else {
            throw HSMError(
                .keyUnavailable, "the token does not show the audit key any more",
                hint: "check that it is the token the key was made on; an agent that is started anew makes another key")
        }
        let specification = KeySpecification(.es256, rsaBits: nil)
        try await token.requireMechanisms(for: specification)
        guard let keyID = KeyID(SystemRandom.bytes(KeyID.length)) else { preconditionFailure("a CKA_ID has 16 bytes") }
        let key = try await token.generate(specification, keyID: keyID, label: label)
        kid.withLock { $0 = key.kid }
        return keyID
    }
}

extension Session {
    /// The complete key pair with the label; of several, always the same one.
    fileprivate func auditKey(labelled label: String, wanted: String?) throws -> GeneratedKey? {
        var keys: [GeneratedKey] = []
        for object in try findObjects([.class(.privateKey), .label(label)]) {
            guard let keyID = try bytes(.id, of: object).flatMap({ KeyID($0) }),
                let held = try heldKey(keyID, for: .es256)
            else { continue }
            keys.append(held.key)
        }
        return keys.first { $0.kid == wanted } ?? (wanted == nil ? keys.min { $0.kid < $1.kid } : nil)
    }

    /// The public halves of audit keys that the token shows, whether or not anybody is logged in.
    fileprivate func auditPublicKeys(labelled label: String) throws -> [AuditPublicKey] {
        try findObjects([.class(.publicKey), .label(label)])
            .map { try PublicKey(publicKey(of: $0)) }
            .filter { $0.keyType == SignatureAlgorithm.es256.jws.keyType }
            .map { try AuditPublicKey($0) }
            .sorted { $0.kid < $1.kid }
    }
}

extension AuditPublicKey {
    /// The audit keys a token shows of a deployment, without logging in. Blocks: not for the cooperative pool.
    ///
    /// - Throws: `HSMError`.
    static func shown(by configuration: HSMConfiguration, deployment: String) throws -> [AuditPublicKey] {
        do {
            let module = try Module(path: configuration.modulePath)
            try module.initialize()
            defer { try? module.finalize() }
            let session = try module.findSlot(matching: configuration.token).openSession(.readOnly)
            let keys = try session.auditPublicKeys(labelled: TokenHeadSigner.label(of: deployment))
            try? session.close()
            return keys
        } catch let error as PKCS11Error {
            throw HSMError(error, todo: "check the token section of the configuration")
        }
    }
}

extension TokenHeadSigner {
    /// The public halves the token shows to who is logged in.
    func publicKeys() async throws -> [AuditPublicKey] {
        let label = Self.label(of: deployment)
        return try await token.perform { session in try session.auditPublicKeys(labelled: label) }
    }
}

extension AuditPublicKey {
    /// The audit keys on an agent's token, running or not: without a login where the token shows them to anybody, else logged
    /// in as the agent does.
    ///
    /// - Throws: `HSMError`, `StoreError`.
    public static func onToken(
        _ configuration: AgentConfiguration, store: any IssuerStorage, deployment: String, environment: AgentEnvironment
    ) async throws -> [AuditPublicKey] {
        // What goes wrong without a login is found again, and named, with one.
        let visible: [AuditPublicKey] = await withCheckedContinuation { continuation in
            Thread {
                continuation.resume(returning: (try? shown(by: configuration.hsm, deployment: deployment)) ?? [])
            }.start()
        }
        if !visible.isEmpty { return visible }
        let hsm = try await AgentServer.logIn(configuration, store: store, environment)
        do {
            let keys = try await hsm.headSigner(deployment: deployment).publicKeys()
            await hsm.shutdown()
            return keys
        } catch {
            await hsm.shutdown()
            throw error
        }
    }
}
