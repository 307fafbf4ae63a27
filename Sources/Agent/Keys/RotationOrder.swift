import KeyLifecycle

/// What is asked of the key ring of an issuer, and how it is planned: once to be shown or to have a key made for it, and once
/// more for the moment at which it is executed.
enum RotationOrder: Hashable, Sendable {
    /// - Parameters:
    ///   - whenSafe: has the incoming key sign once no relying party can be surprised by it.
    ///   - revokes: false refuses inside an overlap.
    case rotate(ifGeneration: Int? = nil, whenSafe: Bool = false, revokes: Bool = true)
    /// A rotation that waits does so no more.
    case cancel(ifGeneration: Int? = nil)
    case revoke(kid: String, ifGeneration: Int? = nil)
    /// Rotates by schedule, or because a rotation has waited long enough.
    case whatIsDue

    /// What the planning has to go by beside the issuer.
    struct Conditions: Hashable, Sendable {
        var isClockTrusted: Bool
        /// False once a fresh key could not be had.
        var canGenerate = true
    }

    /// Whether it goes ahead with the keys there are where no fresh one can be had.
    var isRevocation: Bool {
        if case .revoke = self { true } else { false }
    }

    /// The key that is to be revoked, if that is the order.
    var revokedKid: String? {
        if case .revoke(let kid, _) = self { kid } else { nil }
    }

    /// The order as it holds once it has been begun by a commit, which was compared with the generation that the caller has seen: a
    /// revocation goes on from there, whatever else becomes of the issuer.
    var onceBegun: RotationOrder {
        if case .revoke(let kid, _) = self { .revoke(kid: kid) } else { self }
    }

    /// Whether what another agent has made of the issuer meanwhile is what was asked for: another key signs, and what was to be revoked
    /// is not published any more.
    ///
    /// - Parameter asked: the issuer as it was when the order was first planned.
    func isFulfilled(by now: Issuer, since asked: Issuer) -> Bool {
        guard now.createdAt == asked.createdAt, now.generation > asked.generation else { return false }
        switch self {
        case .rotate(nil, false, _):
            let retiring = asked.ring.retiring.flatMap { now.ring[$0.kid] }
            return now.ring.active?.kid != asked.ring.active?.kid && retiring?.state.isPublished != true
        case .revoke(let kid, nil):
            return now.ring[kid]?.state == .revoked
        case .rotate, .cancel, .revoke, .whatIsDue:
            return false
        }
    }

    /// - Throws: `LifecycleError`, also when nothing is due any more.
    func plan(
        for issuer: Issuer, at moment: Timestamp, _ conditions: Conditions
    ) throws(LifecycleError) -> RotationPlan {
        switch self {
        case .rotate(let expected, let whenSafe, let revokes):
            // A clock that may be wrong must not say that the time has come.
            return try issuer.planningRotation(
                at: moment, ifGeneration: expected, whenSafe: whenSafe,
                knownBy: conditions.isClockTrusted ? nil : issuer.changedAt, revokes: revokes)
        case .cancel(let expected):
            return try issuer.planningCancellation(at: moment, ifGeneration: expected)
        case .revoke(let kid, let expected):
            return try issuer.planningRevocation(
                of: kid, at: moment, ifGeneration: expected, canGenerate: conditions.canGenerate)
        case .whatIsDue:
            guard let plan = issuer.planningDueRotation(at: moment) else { throw .nothingDue }
            return plan
        }
    }
}

extension LifecycleError {
    static let nothingDue = LifecycleError(.conflict, "no rotation is due any more", hint: "nothing has to be done")
}
