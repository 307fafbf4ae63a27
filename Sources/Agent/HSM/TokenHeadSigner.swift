import JOSE
import KeyLifecycle
import PKCS11
import Platform

/// Signs heads with the audit key: a pair in the token that is in no JWKS and is never destroyed, P-256 wherever the token can make
/// that, RSA otherwise.
///
/// Its label begins otherwise than those of signing keys, so that it is another's object to reconciliation.
final class TokenHeadSigner: HeadSigner {
    private let token: TokenManagement
    private let label: String
    /// The key, once it has been seen: another is not made because the token does not show it for a while.
    private let key = Locked(GeneratedKey?.none)

    /// - Parameter agent: whose key it is, where several agents share a token; `nil` where the deployment has one.
    init(_ token: TokenManagement, deployment: String, agent: String? = nil) {
        self.token = token
        label = Self.label(of: deployment, agent)
    }

    /// What the label of every audit key begins with.
    static let labelPrefix = "privyseal-audit/"

    /// What the key is made as: the first of these that the token has the mechanisms for. What it has to prove, it has to prove for
    /// years, so the longer RSA key comes first.
    private static let specifications = [
        KeySpecification(.es256, rsaBits: nil), KeySpecification(.rs256, rsaBits: 3_072),
        KeySpecification(.rs256, rsaBits: 2_048),
    ]

    fileprivate static let algorithms: [SignatureAlgorithm] = [.es256, .rs256]

    static func label(of deployment: String, _ agent: String? = nil) -> String {
        labelPrefix + deployment + (agent.map { "/\($0)" } ?? "")
    }

    /// Looks for the key, and makes one when the token has none.
    ///
    /// - Throws: `HSMError`.
    func prepare() async throws {
        try await findKey()
    }

    func sign(_ statement: [UInt8]) async throws -> (signature: [UInt8], kid: String) {
        if let signed = try await signByKnownHandle(statement) { return signed }
        try await findKey()
        guard let signed = try await signByKnownHandle(statement) else {
            throw HSMError(
                .signatureFaulty, "the token's signature with the audit key is not valid", hint: "have the token examined")
        }
        return signed
    }

    /// Signs with the key as it was last found; nil when it is not there any more, or its signature is not valid.
    private func signByKnownHandle(_ statement: [UInt8]) async throws -> (signature: [UInt8], kid: String)? {
        guard let key = key.withLock({ $0 }) else { return nil }
        let algorithm = key.specification.algorithm
        let digest = SigningDigest(of: statement, for: algorithm.jws)
        let verifier = try PublicKey(subjectPublicKeyInfo: key.publicKey).verifier(for: algorithm.jws)
        return try await token.perform { [access = token.access] session in
            guard let object = try access.knownPrivateKey(key.keyID, session) else { return nil }
            let signature = try algorithm.sign(digest, session, object)
            return verifier.isValid(signature: signature, for: digest) ? (signature, key.kid) : nil
        }
    }

    private func findKey() async throws {
        let label = label
        let wanted = key.withLock { $0?.kid }
        let found = try await token.perform { [access = token.access, rules = token.rules] session -> GeneratedKey? in
            let pairs = access.knownHandles.auditKeys(labelled: label, generation: access.generation)
            guard let held = try session.auditKey(labelled: label, wanted: wanted, knowing: pairs, rules) else { return nil }
            access.knownHandles.note(held.privateKey, of: held.key.keyID, generation: access.generation)
            return held.key
        }
        if let found { return key.withLock { $0 = found } }
        guard wanted == nil else {
            throw HSMError(
                .keyUnavailable, "the token does not show the audit key any more",
                hint: "check that it is the token the key was made on; an agent that is started anew makes another key")
        }
        let specification = try await specification()
        guard let keyID = KeyID(SystemRandom.bytes(KeyID.length)) else { preconditionFailure("a CKA_ID has 16 bytes") }
        let made = try await token.generate(specification, keyID: keyID, label: label, urgency: .awaited)
        key.withLock { $0 = made }
    }

    /// - Throws: `HSMError` with `.unsupported` for a token that has the mechanisms for none, naming what it lacks for the first.
    private func specification() async throws -> KeySpecification {
        var refusals: [HSMError] = []
        for specification in Self.specifications {
            do {
                try await token.requireMechanisms(for: specification, urgency: .awaited)
                return specification
            } catch let error as HSMError where error.code == .unsupported {
                refusals.append(error)
            }
        }
        throw refusals[0]
    }
}

extension Session {
    /// The complete key pair with the label that is held as the custody rules want it; of several, always the same one.
    ///
    /// - Parameter known: pairs that have been seen with the label, which are looked at before the token is searched.
    fileprivate func auditKey(
        labelled label: String, wanted: String?, knowing known: [KeyID: KeyPair], _ rules: CustodyRules
    ) throws -> HeldKey? {
        let seen = try known.compactMap { keyID, pair in try auditKey(keyID, asMade: pair, rules) }
        if let key = Self.auditKey(among: seen, wanted: wanted) { return key }
        var found: [HeldKey] = []
        for object in try findObjects([.class(.privateKey), .label(label)]) {
            guard let keyID = try bytes(.id, of: object).flatMap({ KeyID($0) }),
                let held = try auditKey(keyID, asMade: nil, rules)
            else { continue }
            found.append(held)
        }
        return Self.auditKey(among: found, wanted: wanted)
    }

    private func auditKey(_ keyID: KeyID, asMade pair: KeyPair?, _ rules: CustodyRules) throws -> HeldKey? {
        for algorithm in TokenHeadSigner.algorithms {
            guard let held = try heldKey(keyID, for: algorithm, asMade: pair) else { continue }
            return rules.refusals(held.custody).isEmpty ? held : nil
        }
        return nil
    }

    private static func auditKey(among keys: [HeldKey], wanted: String?) -> HeldKey? {
        keys.first { $0.key.kid == wanted } ?? (wanted == nil ? keys.min { $0.key.kid < $1.key.kid } : nil)
    }

    /// The public halves of a deployment's audit keys that the token shows, whether or not it is logged in to: that of the deployment
    /// and those of its agents.
    fileprivate func auditPublicKeys(of deployment: String) throws -> [AuditPublicKey] {
        let own = TokenHeadSigner.label(of: deployment)
        var keys: [AuditPublicKey] = []
        for object in try findObjects([.class(.publicKey)]) {
            guard let label = try bytes(.label, of: object).map({ String(decoding: $0, as: UTF8.self) }),
                label == own || label.hasPrefix(own + "/")
            else { continue }
            let key = try PublicKey(publicKey(of: object))
            guard TokenHeadSigner.algorithms.contains(where: { $0.jws.keyType == key.keyType }) else { continue }
            keys.append(try AuditPublicKey(key, agent: label == own ? nil : String(label.dropFirst(own.count + 1))))
        }
        return keys.sorted { ($0.agent ?? "", $0.kid) < ($1.agent ?? "", $1.kid) }
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
            let keys = try session.auditPublicKeys(of: deployment)
            try? session.close()
            return keys
        } catch let error as PKCS11Error {
            throw HSMError(error, todo: "check the token section of the configuration")
        }
    }
}

extension TokenManagement {
    /// The public halves of a deployment's audit keys that the token shows once it is logged in to.
    func auditPublicKeys(of deployment: String) async throws -> [AuditPublicKey] {
        try await perform { session in try session.auditPublicKeys(of: deployment) }
    }
}
