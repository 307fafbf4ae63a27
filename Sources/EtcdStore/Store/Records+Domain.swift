import Foundation
import IssuerStore
import KeyLifecycle

extension KeyRecord {
    init(_ key: SigningKey, position: Int) {
        self.init(
            position: position, kid: key.kid, keyID: "\(key.keyID)", algorithm: key.algorithm.rawValue,
            publicKey: Data(key.publicKey), state: key.state.rawValue, publishedAt: key.publishedAt.seconds,
            knownFrom: key.knownFrom.seconds, activatedAt: key.activatedAt?.seconds, retiringAt: key.retiringAt?.seconds,
            expiresAt: key.expiresAt?.seconds, retiredAt: key.retiredAt?.seconds, revokedAt: key.revokedAt?.seconds,
            latestExpiry: key.latestExpiry?.seconds, lostAt: key.lostAt?.seconds)
    }

    /// - Throws: `StoreError` with `.corrupt` for what no release writes.
    func key() throws(StoreError) -> SigningKey {
        guard let state = KeyState(rawValue: state) else { throw .edited("a key is in the unknown state \(state)") }
        return SigningKey(
            kid: kid, keyID: try .reading(keyID), algorithm: try .reading(algorithm), publicKey: Array(publicKey), state: state,
            publishedAt: Timestamp(seconds: publishedAt), knownFrom: Timestamp(seconds: knownFrom),
            activatedAt: Timestamp(activatedAt), retiringAt: Timestamp(retiringAt), expiresAt: Timestamp(expiresAt),
            retiredAt: Timestamp(retiredAt), revokedAt: Timestamp(revokedAt), latestExpiry: Timestamp(latestExpiry),
            lostAt: Timestamp(lostAt))
    }
}

extension SettingsRecord {
    init(_ settings: IssuerSettings) {
        self.init(
            algorithm: settings.algorithm.rawValue, rsaBits: settings.rsaBits, defaultIssuer: settings.defaultIssuer,
            lifetime: settings.lifetime, maximumLifetime: settings.maximumLifetime, overlap: settings.overlap,
            jwksMaxAge: settings.jwksMaxAge, notBeforeSkew: settings.notBeforeSkew, standby: settings.standby,
            rotateEvery: settings.rotateEvery)
    }

    func settings() throws(StoreError) -> IssuerSettings {
        IssuerSettings(
            algorithm: try .reading(algorithm), rsaBits: rsaBits, defaultIssuer: defaultIssuer, lifetime: lifetime,
            maximumLifetime: maximumLifetime, overlap: overlap, jwksMaxAge: jwksMaxAge, notBeforeSkew: notBeforeSkew,
            standby: standby, rotateEvery: rotateEvery)
    }
}

extension IssuerRecord {
    init(_ issuer: Issuer, committedAt: Int64) {
        let url: String? = if case .enabled(let url) = issuer.profile { url } else { nil }
        let published = issuer.ring.keys.enumerated().filter(\.element.state.isPublished)
        self.init(
            generation: issuer.generation, phase: (issuer.revoking == nil ? Phase.settled : .revoking).rawValue,
            committedAt: committedAt, createdAt: issuer.createdAt.seconds,
            changedAt: issuer.changedAt.seconds, settings: SettingsRecord(issuer.settings), url: url,
            accepted: issuer.acceptedIssuers.map { AcceptedIssuerRecord(url: $0.url, expiresAt: $0.expiresAt.seconds) },
            lastRotationAt: issuer.lastRotationAt?.seconds, maxAgeHorizon: issuer.maxAgeHorizon?.seconds,
            rotationRequestedAt: issuer.rotationRequestedAt?.seconds, revoking: issuer.revoking.map(RevocationRecord.init),
            keys: issuer.ring.keys.count,
            rings: [StoreLayout.group: published.map { KeyRecord($0.element, position: $0.offset) }])
    }

    /// - Parameter ended: the keys that have ended, in any order.
    /// - Throws: `StoreError` with `.corrupt` when record and keys make no issuer.
    func issuer(_ name: IssuerName, ended: [KeyRecord]) throws(StoreError) -> Issuer {
        guard Phase(rawValue: phase) != nil, rings.count == 1, let published = rings[StoreLayout.group] else {
            throw StoreError(
                .newerSchema, "the issuer \(name) has been changed by a newer release",
                hint: "run that release or a later one on every machine")
        }
        let records = (published + ended).sorted { $0.position < $1.position }
        guard records.map(\.position) == Array(0..<keys) else {
            throw .edited("the key ring of the issuer \(name) has other keys than the \(keys) it should have")
        }
        var ring: [SigningKey] = []
        for record in records { ring.append(try record.key()) }
        let issuer = Issuer(
            name: name, generation: generation, createdAt: Timestamp(seconds: createdAt),
            changedAt: Timestamp(seconds: changedAt), settings: try settings.settings(),
            profile: url.map { .enabled(url: $0) } ?? .disabled,
            acceptedIssuers: accepted.map { AcceptedIssuer(url: $0.url, expiresAt: Timestamp(seconds: $0.expiresAt)) },
            ring: KeyRing(keys: ring), lastRotationAt: Timestamp(lastRotationAt), maxAgeHorizon: Timestamp(maxAgeHorizon),
            rotationRequestedAt: Timestamp(rotationRequestedAt), revoking: revoking?.revocation)
        if let violation = issuer.ring.violations.first {
            throw .edited("the key ring of the issuer \(name) is broken: \(violation)")
        }
        guard ended.allSatisfy({ KeyState(rawValue: $0.state)?.isPublished == false }) else {
            throw .edited("a key of the issuer \(name) that has ended is published")
        }
        do {
            try issuer.settings.validate()
        } catch {
            throw .edited("the issuer \(name) has settings out of bounds: \(error)", cause: error)
        }
        return issuer
    }
}

extension RevocationRecord {
    fileprivate init(_ revocation: BegunRevocation) {
        self.init(
            by: revocation.by.map { ActorRecord(agent: $0.agent, incarnation: $0.incarnation) }, kids: revocation.kids,
            successor: revocation.successor, begunAt: revocation.begunAt.seconds)
    }

    fileprivate var revocation: BegunRevocation {
        BegunRevocation(
            kids: kids, successor: successor, begunAt: Timestamp(seconds: begunAt),
            by: by.map { BegunRevocation.Initiator(agent: $0.agent, incarnation: $0.incarnation) })
    }
}

extension IntentRecord {
    init(_ intent: GenerationIntent, by: ActorRecord) {
        self.init(
            by: by, issuer: intent.issuer.text, algorithm: intent.algorithm.rawValue, recordedAt: intent.recordedAt.seconds,
            tombstone: intent.isTombstone)
    }

    func intent(_ keyID: KeyID) throws(StoreError) -> GenerationIntent {
        GenerationIntent(
            keyID: keyID, issuer: try .reading(issuer), algorithm: try .reading(algorithm),
            recordedAt: Timestamp(seconds: recordedAt), isTombstone: tombstone, incarnation: by.incarnation)
    }
}

extension DestructionRecord {
    func destruction(_ keyID: KeyID) throws(StoreError) -> PendingDestruction {
        PendingDestruction(
            keyID: keyID, issuer: try .reading(issuer), requestedAt: Timestamp(seconds: requestedAt),
            publicKey: publicKey.map(Array.init), isStray: stray)
    }
}

extension QuarantinedRecord {
    init(_ key: QuarantinedKey, order: Int, by: ActorRecord) {
        self.init(
            by: by, order: order, kid: key.kid, issuer: key.issuer.text, publicKey: key.publicKey.map { Data($0) },
            since: key.since.seconds)
    }

    func key(_ keyID: KeyID) throws(StoreError) -> QuarantinedKey {
        QuarantinedKey(
            keyID: keyID, kid: kid, issuer: try .reading(issuer), publicKey: publicKey.map(Array.init),
            since: Timestamp(seconds: since))
    }
}

extension Timestamp {
    fileprivate init?(_ seconds: Int64?) {
        guard let seconds else { return nil }
        self.init(seconds: seconds)
    }
}

extension IssuerName {
    static func reading(_ text: String) throws(StoreError) -> IssuerName {
        guard let name = IssuerName(text) else {
            throw .edited("there is an issuer of the invalid name \(String(reflecting: text))")
        }
        return name
    }
}

extension SignatureAlgorithm {
    static func reading(_ text: String) throws(StoreError) -> SignatureAlgorithm {
        guard let algorithm = SignatureAlgorithm(rawValue: text) else {
            throw .edited("there is the unknown algorithm \(String(reflecting: text))")
        }
        return algorithm
    }
}

extension KeyID {
    static func reading(_ text: String) throws(StoreError) -> KeyID {
        let digits = Array(text.utf8)
        let bytes = stride(from: 0, to: digits.count, by: 2).compactMap { place in
            UInt8(String(decoding: digits[place..<min(place + 2, digits.count)], as: UTF8.self), radix: 16)
        }
        guard let id = KeyID(bytes), "\(id)" == text else {
            throw .edited("there is the CKA_ID \(String(reflecting: text)), which is none")
        }
        return id
    }
}
