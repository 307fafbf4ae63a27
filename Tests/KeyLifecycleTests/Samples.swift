import KeyLifecycle

/// The moment the samples are read at.
let start = Timestamp(seconds: 1_700_000_000)
let hour = 3_600
let day = 86_400

func sampleKey(_ number: Int, _ specification: KeySpecification = .rs256) -> GeneratedKey {
    GeneratedKey(
        keyID: sampleKeyID(number), kid: "k\(number)", specification: specification,
        publicKey: [UInt8(truncatingIfNeeded: number)])
}

extension KeySpecification {
    static let rs256 = KeySpecification(.rs256, rsaBits: 2_048)
    static let es256 = KeySpecification(.es256, rsaBits: nil)
}

func sampleKeyID(_ number: Int) -> KeyID {
    let bytes = (0..<KeyID.length).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
    guard let keyID = KeyID(bytes) else { preconditionFailure("a CKA_ID has \(KeyID.length) bytes") }
    return keyID
}

func sampleName(_ text: String = "demo") -> IssuerName {
    guard let name = IssuerName(text) else { preconditionFailure("\(text) is no issuer name") }
    return name
}

/// An issuer with the ring that `shape` draws, such as `k1 retiring, k2 active, k3 standby`; its keys have long been
/// known, and what retires does so half an overlap after `start`.
func sampleIssuer(
    _ shape: String, settings: IssuerSettings = IssuerSettings(), profile: OIDCProfile = .disabled,
    acceptedIssuers: [AcceptedIssuer] = [], generation: Int = 7, algorithm: SignatureAlgorithm? = nil
) -> Issuer {
    let longAgo = start + -10 * day
    let keys = shape.split(separator: ", ").map { entry in
        let parts = entry.split(separator: " ")
        guard parts.count == 2, let number = Int(parts[0].dropFirst()), let state = KeyState(rawValue: String(parts[1])) else {
            preconditionFailure("\(entry) is no key")
        }
        let key = sampleKey(number, KeySpecification(algorithm ?? settings.algorithm, rsaBits: settings.rsaBits))
        return SigningKey(
            kid: key.kid, keyID: key.keyID, algorithm: key.algorithm, publicKey: key.publicKey, state: state,
            publishedAt: longAgo, knownFrom: longAgo + settings.jwksMaxAge,
            expiresAt: state == .retiring ? start + settings.overlap / 2 : nil)
    }
    return Issuer(
        name: sampleName(), generation: generation, createdAt: longAgo, changedAt: longAgo, settings: settings,
        profile: profile, acceptedIssuers: acceptedIssuers, ring: KeyRing(keys: keys), lastRotationAt: nil,
        maxAgeHorizon: nil)
}

/// How a ring stands, in the order the keys were made: `k1 retiring, k2 active`.
func shape(_ issuer: Issuer?) -> String {
    (issuer?.ring.keys ?? []).map { "\($0.kid) \($0.state.rawValue)" }.joined(separator: ", ")
}

func kids(_ keys: [SigningKey]) -> [String] {
    keys.map(\.kid)
}

/// What carrying out a plan came to.
struct Outcome {
    var issuer: Issuer
    /// The plan as it was executed.
    var executed: RotationPlan
    /// In the order their destruction was asked for.
    var destroyed: [String]
}

extension Issuer {
    /// Carries a plan out as the agent does: a fresh key is published first, and takes over `lead` seconds later.
    func carryingOut(_ plan: RotationPlan, fresh number: Int, at moment: Timestamp, lead: Int = 0) throws -> Outcome {
        guard let wanted = plan.freshKey else {
            let change = try executing(plan)
            return Outcome(issuer: try change.after, executed: plan, destroyed: kids(change.destroyed))
        }
        let key = sampleKey(number, wanted)
        let publication = try publishingFresh(key, for: plan, at: moment)
        let published = try publication.after
        let continued = published.continuing(plan, withPublished: key.kid, at: moment + lead)
        let change = try published.executing(continued)
        return Outcome(
            issuer: try change.after, executed: continued, destroyed: kids(publication.destroyed) + kids(change.destroyed))
    }

    func rotated(fresh number: Int = 99, at moment: Timestamp) throws -> Issuer {
        try carryingOut(planningRotation(at: moment), fresh: number, at: moment).issuer
    }
}

extension IssuerChange {
    /// The issuer afterwards, of a change that is no deletion.
    var after: Issuer {
        get throws {
            guard let issuer else { throw Deleted() }
            return issuer
        }
    }
}

struct Deleted: Error {}

/// The code of the refusal, `nil` for none.
func refusal(of body: () throws -> Void) -> LifecycleError.Code? {
    do {
        try body()
        return nil
    } catch let error as LifecycleError {
        return error.code
    } catch {
        return LifecycleError.Code(rawValue: "another error: \(error)")
    }
}
