import JOSE
import KeyLifecycle
import PKCS11
import Platform

/// One key pair to be generated under a `CKA_ID` that has been recorded as an intent.
struct KeyGeneration: Sendable {
    let specification: KeySpecification
    let keyID: KeyID
    let label: String
    let rules: CustodyRules
    let templates: AcceptedTemplates
    /// Called for each pair that the token says it has made.
    let made: @Sendable () -> Void

    /// First with every usage named, because a token's default for one left out is often true; a token that does not take
    /// such a template is asked once more without those that are to be false, and what comes of it is judged all the same.
    private var attempts: [KeyTemplateChoice] {
        let known = templates.last(for: specification)
        let all = [UsageFlags.all, .allowedOnly].flatMap { usages in
            specification.keyPairs.map { KeyTemplateChoice(algorithm: $0, usages: usages) }
        }
        return [known].compactMap(\.self) + all.filter { $0 != known }
    }

    /// Generates the pair, and checks what it is and how the token holds it. One that is not as it should be is destroyed.
    ///
    /// - Throws: `HSMError` with `.custodyRefused`; `PKCS11Error`, after which the pair may be there all the same.
    func run(_ session: borrowing Session) throws -> HeldKey {
        var refused: PKCS11Error?
        for attempt in attempts {
            if refused != nil, let held = try reconciled(session) { return held }
            let pair: KeyPair
            do throws(PKCS11Error) {
                pair = try session.generateKeyPair(
                    attempt.algorithm, id: keyID.bytes, label: label, naming: attempt.usages)
            } catch {
                guard isOfTheTemplate(error) else { throw error }
                refused = error
                continue
            }
            made()
            let held = try judged(pair, session, refused)
            templates.note(attempt, for: specification)
            return held
        }
        if let held = try reconciled(session) { return held }
        throw refused ?? PKCS11Error(.keyUnsupported, "there is no way to ask for a key for \(specification)")
    }

    /// Whether a token may have meant the template with it: it may take another one.
    private func isOfTheTemplate(_ error: PKCS11Error) -> Bool {
        switch error.returnValue {
        // What tpm2-pkcs11 returns for a usage it does not know.
        case .generalError: true
        case .templateInconsistent, .attributeTypeInvalid, .attributeValueInvalid, .attributeReadOnly: true
        case .curveNotSupported, .domainParamsInvalid: specification.keyPairs.count > 1
        default: false
        }
    }

    /// The pair, should the token have made it in spite of its error; what else it left under the `CKA_ID` is destroyed.
    private func reconciled(_ session: borrowing Session) throws -> HeldKey? {
        if let (held, refusals) = try heldKey(nil, session), refusals.isEmpty {
            try requireSigning(held, session)
            return held
        }
        try session.destroyOwn(keyID, labelled: label)
        return nil
    }

    /// The generated pair, unless it has to be destroyed.
    private func judged(
        _ pair: KeyPair, _ session: borrowing Session, _ refusedTemplate: PKCS11Error?
    ) throws -> HeldKey {
        // What a refused template may have left is under the CKA_ID as well.
        let found = try heldKey(refusedTemplate == nil ? pair : nil, session)
        if let (held, refusals) = found, refusals.isEmpty {
            try requireSigning(held, session)
            return held
        }
        // What cannot be destroyed now is left to the caller, which finds it by its CKA_ID.
        try? session.destroyOwn(keyID, labelled: label)
        let what = found?.refusals.joined(separator: ", ") ?? "it shows no complete key pair for \(specification)"
        let why = refusedTemplate.map { "; it did not take the template that forbids other usages: \($0)" } ?? ""
        throw HSMError(
            .custodyRefused, "the token holds the generated key otherwise than asked: \(what)\(why)",
            hint: "use a token that keeps keys sensitive, local and for signing only, or see token.custody in the configuration")
    }

    /// Has the key sign before it gets into a ring: tpm2-pkcs11 makes keys on P-521 and cannot sign with them.
    ///
    /// - Throws: `HSMError` with `.custodyRefused` when it does not, and is destroyed; `PKCS11Error` when that says nothing of
    ///   the key.
    private func requireSigning(_ held: HeldKey, _ session: borrowing Session) throws {
        let why: String
        do {
            let publicKey = try PublicKey(subjectPublicKeyInfo: held.key.publicKey)
            if try session.isSigned(by: held.privateKey, publicKey, specification.algorithm) { return }
            why = "its signature does not verify"
        } catch let error as PKCS11Error {
            guard error.isOfTheKey else { throw error }
            why = "\(error)"
        }
        // What cannot be destroyed now is left to the caller, which finds it by its CKA_ID.
        try? session.destroyOwn(keyID, labelled: label)
        throw HSMError(
            .custodyRefused, "the token made a key for \(specification) and does not sign with it: \(why)",
            hint: "choose another algorithm, or have the token examined")
    }

    /// What the token shows under the `CKA_ID`, if that is one pair and of the wanted kind, and what is wrong with its custody.
    ///
    /// - Parameter pair: what the token said it has made, which is looked at without a search; nil to search.
    private func heldKey(_ pair: KeyPair?, _ session: borrowing Session) throws -> (held: HeldKey, refusals: [String])? {
        guard let held = try session.heldKey(keyID, for: specification.algorithm, asMade: pair),
            held.key.specification == specification
        else { return nil }
        return (held, rules.refusals(held.custody))
    }
}

/// One way of asking a token for a key pair.
struct KeyTemplateChoice: Hashable, Sendable {
    let algorithm: KeyPairAlgorithm
    let usages: UsageFlags
}

/// The way in which a token last took a template for a key that was then found to be held as it should be. It is the first
/// to be tried the next time: a refused template can cost the token something, as it costs tpm2-pkcs11 two of the few
/// objects that a TPM has room for.
final class AcceptedTemplates: Sendable {
    private let choices = Locked<[KeySpecification: KeyTemplateChoice]>([:])

    func last(for specification: KeySpecification) -> KeyTemplateChoice? {
        choices.withLock { choices in
            // That a token refuses to hear of a usage is said of one algorithm, and is so for all.
            choices[specification]
                ?? choices.values.first { $0.usages == .allowedOnly }.flatMap { choice in
                    specification.keyPairs.first.map { KeyTemplateChoice(algorithm: $0, usages: choice.usages) }
                }
        }
    }

    func note(_ choice: KeyTemplateChoice, for specification: KeySpecification) {
        choices.withLock { $0[specification] = choice }
    }
}

extension PKCS11Error {
    /// Whether a signature failed for what the key is, or may have: another one with it would fail too.
    fileprivate var isOfTheKey: Bool {
        switch Reaction(to: self) {
        case .fail, .shedLoad, .freshSession(_, then: .keyUnavailable): true
        default: code == .signatureMalformed
        }
    }
}

/// A complete key pair as the token shows it.
struct HeldKey: Sendable {
    let key: GeneratedKey
    let privateKey: ObjectHandle
    let custody: CustodyAttributes
}

extension Session {
    /// The one pair with this `CKA_ID`; nil when the token does not show exactly one, or one of another kind.
    ///
    /// - Parameter pair: what the token said it has made under this `CKA_ID` just now. Where both are what they should be,
    ///   nothing is searched for: a search costs time in proportion to the objects on the token.
    func heldKey(_ keyID: KeyID, for algorithm: SignatureAlgorithm, asMade pair: KeyPair? = nil) throws -> HeldKey? {
        do {
            let pair = try made(pair, keyID) ?? found(keyID)
            let privateKey = pair.privateKey
            let publicKey = try PublicKey(publicKey(of: pair.publicKey))
            guard try algorithm.isKeyType(of: privateKey, self), publicKey.keyType == algorithm.jws.keyType else { return nil }
            return HeldKey(
                key: GeneratedKey(
                    keyID: keyID, kid: publicKey.kid,
                    specification: KeySpecification(algorithm, rsaBits: publicKey.rsaModulusBits),
                    publicKey: publicKey.subjectPublicKeyInfo),
                privateKey: privateKey, custody: try custody(of: privateKey))
        } catch let error as PKCS11Error where error.isAbsence {
            return nil
        }
    }

    /// The pair, if its handles are those of a key pair with this `CKA_ID`.
    private func made(_ pair: KeyPair?, _ keyID: KeyID) throws(PKCS11Error) -> KeyPair? {
        guard let pair, try shows(pair.privateKey, as: .privateKey, of: keyID),
            try shows(pair.publicKey, as: .publicKey, of: keyID)
        else { return nil }
        return pair
    }

    private func found(_ keyID: KeyID) throws(PKCS11Error) -> KeyPair {
        let privateKey = try findKey(.privateKey, id: keyID.bytes)
        return KeyPair(publicKey: try findKey(.publicKey, id: keyID.bytes), privateKey: privateKey)
    }
}

extension PublicKey {
    /// - Throws: `JOSEError` for numbers that are no key the agent may use.
    init(_ material: PublicKeyMaterial) throws {
        switch material {
        case .rsa(let modulus, let exponent):
            try self.init(rsaModulus: modulus, exponent: exponent)
        case .ec(let curve, let point):
            guard let named = Curve(rawValue: curve.name) else {
                throw JOSEError(.keyTypeUnsupported, "keys on \(curve) sign no JWT")
            }
            try self.init(ecPoint: point, on: named)
        case .ed25519(let bytes):
            try self.init(ed25519: bytes)
        }
    }
}
