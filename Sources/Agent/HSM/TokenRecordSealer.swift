import Crypto
import IssuerStore
import JOSE
import KeyLifecycle
import PKCS11
import Platform

/// Seals records of a shared store with a key in the token that is for nothing else: HMAC with SHA-256 where the token has that, P-256
/// otherwise.
///
/// A deployment may have several such keys: two agents that find none at the same moment make one each, and a token may show late
/// what another machine has made on it. So a seal says whose it is, any key counts that the token holds as the custody rules want it,
/// and what is written is sealed with the one whose `CKA_ID` is the lowest. None is ever destroyed: what it has sealed would be nobody's.
final class TokenRecordSealer: RecordSealing {
    private let token: TokenManagement
    private let label: String
    private let keys = Locked(KnownSealKeys())

    init(_ token: TokenManagement, deployment: String) {
        self.token = token
        label = "privyseal-seal/\(deployment)"
    }

    /// Records that are looked at in one piece of work: other callers wait for as much.
    private static let mostAtOnce = 64

    func prepare() async throws -> Bool {
        guard try await found().isEmpty else { return false }
        try await make()
        return true
    }

    func seals(for statements: [[UInt8]]) async throws -> [String] {
        var found = try await found()
        if found.isEmpty {
            try await make()
            found = try await search()
        }
        guard let key = found.first else {
            throw HSMError(
                .keyUnavailable, "the token does not show the key that records are sealed with, which it has made",
                hint: "have the token examined")
        }
        var seals: [String] = []
        for start in stride(from: 0, to: statements.count, by: Self.mostAtOnce) {
            let digests = statements[start...].prefix(Self.mostAtOnce).map { SigningDigest(of: $0, for: .es256) }
            seals += try await token.perform { session in
                let object = try session.object(of: key)
                var made: [String] = []
                for digest in digests { made.append(SealText(key: key, bytes: try key.seal(digest, session, object)).text) }
                return made
            }
        }
        return seals
    }

    func judge(_ records: [SealedStatement]) async throws -> [SealVerdict] {
        let seals = records.map { SealText($0.seal) }
        var found = try await found()
        let known = Set(found.map(\.name))
        // Another agent may have made one since.
        if seals.contains(where: { $0.map { !known.contains($0.key) } ?? false }) { found = try await search() }
        let byName = Dictionary(found.map { ($0.name, $0) }) { first, _ in first }
        var verdicts: [SealVerdict] = []
        for start in stride(from: 0, to: records.count, by: Self.mostAtOnce) {
            let part = Array(zip(records, seals).dropFirst(start).prefix(Self.mostAtOnce))
            verdicts += part.map { record, seal in
                if record.seal.isEmpty { return found.isEmpty ? .unsealed : .wrong }
                return seal == nil ? .wrong : .unknownKey
            }
            var open: [(place: Int, key: SealKey, seal: [UInt8], digest: SigningDigest)] = []
            for (place, record) in part.enumerated() {
                guard let seal = record.1, let key = byName[seal.key] else { continue }
                open.append((start + place, key, seal.bytes, SigningDigest(of: record.0.statement, for: .es256)))
            }
            let judged = try await token.perform { [open] session in
                var judged: [Int: SealVerdict] = [:]
                var objects: [KeyID: ObjectHandle] = [:]
                for one in open {
                    let object = try objects[one.key.keyID] ?? session.object(of: one.key)
                    objects[one.key.keyID] = object
                    judged[one.place] = try one.key.isValid(one.seal, one.digest, session, object) ? .genuine : .wrong
                }
                return judged
            }
            for (place, verdict) in judged { verdicts[place] = verdict }
        }
        return verdicts
    }

    // MARK: - Keys

    /// Those that the token has shown, lowest `CKA_ID` first; looked for again when there were none.
    private func found() async throws -> [SealKey] {
        let generation = token.tokenGeneration
        let known = keys.withLock { $0.generation == generation ? $0.keys : [] }
        return known.isEmpty ? try await search() : known
    }

    private func search() async throws -> [SealKey] {
        let label = label
        let found = try await token.perform { [rules = token.rules, access = token.access] session in
            let generation = access.generation
            return KnownSealKeys(generation: generation, keys: try session.sealKeys(labelled: label, rules))
        }
        keys.withLock { $0 = found }
        return found.keys
    }

    /// - Throws: `HSMError` with `.custodyRefused` when the token does not hold it as it has to be; then it is destroyed.
    private func make() async throws {
        guard let keyID = KeyID(SystemRandom.bytes(KeyID.length)) else { preconditionFailure("a CKA_ID has 16 bytes") }
        let label = label
        let isMade = try await token.performOnce(urgency: .awaited) { [rules = token.rules] session in
            guard try session.slot.hasHMAC else { return false }
            let object = try session.makeSealKey(keyID, labelled: label)
            let refusals = try rules.refusals(session.sealCustody(of: object))
            guard refusals.isEmpty else {
                try? session.destroyObject(object)
                throw HSMError(
                    .custodyRefused,
                    "the token holds the key that seals records otherwise than asked: "
                        + refusals.joined(separator: ", "),
                    hint: "use a token that keeps keys sensitive and local, or see token.custody in the configuration")
            }
            return true
        }
        guard !isMade else { return }
        let specification = KeySpecification(.es256, rsaBits: nil)
        try await token.requireMechanisms(for: specification, urgency: .awaited)
        _ = try await token.generate(specification, keyID: keyID, label: label, urgency: .awaited)
    }
}

private struct KnownSealKeys: Sendable {
    /// Of the module's initialisation under which they were seen.
    var generation = 0
    var keys: [SealKey] = []
}

/// A key that records are sealed with.
private struct SealKey: Sendable {
    let keyID: KeyID
    /// Of a pair on P-256; `nil` for one for HMAC.
    let publicKey: PublicKey?
    /// Where the token showed the key, or its private half.
    let noted: ObjectHandle

    /// As a seal names it.
    var name: String { "\(publicKey == nil ? "hs256" : "es256"):\(keyID)" }

    /// - Parameter object: the key, or its private half.
    func seal(_ digest: SigningDigest, _ session: borrowing Session, _ object: ObjectHandle) throws -> [UInt8] {
        guard publicKey == nil else { return try SignatureAlgorithm.es256.sign(digest, session, object) }
        return try session.sign(digest.bytes, with: .sha256HMAC, key: object)
    }

    /// With an HMAC key the token is asked to make the seal once more, which no token gets wrong to the benefit of a forger.
    func isValid(
        _ seal: [UInt8], _ digest: SigningDigest, _ session: borrowing Session, _ object: ObjectHandle
    ) throws -> Bool {
        if let publicKey {
            return try publicKey.verifier(for: JWSAlgorithm.es256).isValid(signature: seal, for: digest)
        }
        let made = try self.seal(digest, session, object)
        guard made.count == SHA256.byteCount, made.count == seal.count else { return false }
        return zip(made, seal).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }
}

/// A seal as it stands in a record: `hs256:<CKA_ID>:<base64url>`, or `es256:` likewise.
private struct SealText {
    let key: String
    let bytes: [UInt8]

    init(key: SealKey, bytes: [UInt8]) {
        (self.key, self.bytes) = (key.name, bytes)
    }

    /// `nil` for what is no seal.
    init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard text.utf8.count <= 160, parts.count == 3, ["hs256", "es256"].contains(parts[0]),
            let bytes = try? Base64URL.decode(String(parts[2]))
        else { return nil }
        (key, self.bytes) = ("\(parts[0]):\(parts[1])", bytes)
    }

    var text: String { "\(key):\(Base64URL.encodeToString(bytes))" }
}

extension Slot {
    fileprivate var hasHMAC: Bool {
        get throws(PKCS11Error) {
            guard try has(.genericSecretKeyGeneration, .generate) else { return false }
            return try has(.sha256HMAC, .sign)
        }
    }

    private func has(_ mechanism: MechanismType, _ flag: MechanismInfo.Flags) throws(PKCS11Error) -> Bool {
        do throws(PKCS11Error) {
            return try mechanismInfo(mechanism).flags.contains(flag)
        } catch  where error.returnValue == .mechanismInvalid {
            return false
        }
    }
}

extension Session {
    fileprivate static var sealKeyLength: Int { 32 }

    /// With every usage named; a token that does not take such a template is asked once more, and what comes of it is judged all the
    /// same.
    fileprivate func makeSealKey(_ keyID: KeyID, labelled label: String) throws(PKCS11Error) -> ObjectHandle {
        do throws(PKCS11Error) {
            return try generateSecretKey(id: keyID.bytes, label: label, length: Self.sealKeyLength)
        } catch {
            guard let value = error.returnValue,
                [.templateInconsistent, .attributeTypeInvalid, .attributeValueInvalid, .generalError].contains(value)
            else { throw error }
            return try generateSecretKey(id: keyID.bytes, label: label, length: Self.sealKeyLength, naming: .allowedOnly)
        }
    }

    /// A secret key has no `CKA_SIGN_RECOVER`.
    fileprivate func sealCustody(of object: ObjectHandle) throws(PKCS11Error) -> CustodyAttributes {
        var custody = try custody(of: object)
        custody.signRecover = custody.signRecover ?? false
        return custody
    }

    /// The keys with the label that are held as the custody rules want it, lowest `CKA_ID` first.
    fileprivate func sealKeys(labelled label: String, _ rules: CustodyRules) throws -> [SealKey] {
        var keys: [SealKey] = []
        for object in try findObjects([.class(.secretKey), .label(label)]) {
            guard try number(.keyType, of: object) == KeyType.genericSecret.rawValue,
                let keyID = try bytes(.id, of: object).flatMap({ KeyID($0) }),
                try rules.refusals(sealCustody(of: object)).isEmpty
            else { continue }
            keys.append(SealKey(keyID: keyID, publicKey: nil, noted: object))
        }
        for object in try findObjects([.class(.privateKey), .label(label)]) {
            guard let keyID = try bytes(.id, of: object).flatMap({ KeyID($0) }),
                let held = try heldKey(keyID, for: .es256), rules.refusals(held.custody).isEmpty
            else { continue }
            let publicKey = try PublicKey(subjectPublicKeyInfo: held.key.publicKey)
            keys.append(SealKey(keyID: keyID, publicKey: publicKey, noted: held.privateKey))
        }
        return keys.sorted { "\($0.keyID)" < "\($1.keyID)" }
    }

    /// Where it was, if it still is there: a handle may have become another object's. A search takes the longer the more objects
    /// there are.
    fileprivate func object(of key: SealKey) throws(PKCS11Error) -> ObjectHandle {
        let kind: ObjectClass = key.publicKey == nil ? .secretKey : .privateKey
        return try shows(key.noted, as: kind, of: key.keyID) ? key.noted : findKey(kind, id: key.keyID.bytes)
    }
}
