/// Rotations that wait until no relying party can be surprised.
extension Issuer {
    /// Plans a rotation whose incoming key signs once no relying party can be surprised by it, which may be at once.
    ///
    /// What a rotation revokes is revoked at once all the same; a fresh key that it wants is published at once.
    ///
    /// - Parameter knownBy: up to when the time is known to have come, where `moment` is of a clock that may be wrong.
    func awaitingRotation(at moment: Timestamp, knownBy: Timestamp? = nil) -> RotationPlan {
        guard ring.retiring == nil, let standby = ring.standby else {
            let revoked = ring.retiring == nil ? [] : [ring.retiring, ring.standby].compactMap { $0?.kid }
            return plan(
                at: moment, incoming: .fresh(settings.keySpecification), activeRetires: true, revoked: revoked,
                isRevoking: !revoked.isEmpty,
                signsFrom: surprisesNobodyFrom(publishingAt: max(moment, changedAt)))
        }
        let from = standby.surprisesNobodyFrom
        return plan(
            at: moment, incoming: .standby(kid: standby.kid, algorithm: standby.algorithm), activeRetires: true, revoked: [],
            isRevoking: false, signsFrom: from > knownBy ?? max(moment, changedAt) ? from : nil)
    }

    /// Revokes what a plan revokes, publishes the fresh key it wants, and has the rotation wait. The active key signs on.
    ///
    /// - Returns: `nil` when the rotation waits already and nothing is to be changed.
    /// - Throws: `LifecycleError` with `.conflict` when the plan was made for another generation, waits for nothing, or wants no
    ///   key or another one.
    public func deferring(
        _ plan: RotationPlan, fresh key: GeneratedKey?, at moment: Timestamp
    ) throws(LifecycleError) -> IssuerChange? {
        try require(plan)
        guard plan.signsFrom != nil, (plan.freshKey == nil) == (key == nil) else {
            throw LifecycleError(.conflict, "the plan does not wait, or not for this key", hint: "plan again")
        }
        if let key, let wanted = plan.freshKey { try key.require(wanted) }
        if key == nil, rotationRequestedAt != nil { return nil }
        return changed(at: moment) { next, moment in
            for kid in plan.revoked { next.ring.revoke(kid, at: moment) }
            if let key { next.publish(key, at: moment) }
            next.rotationRequestedAt = next.rotationRequestedAt ?? moment
        }
    }

    /// A plan that waits, as it stands once its fresh key has been published and its revocations have been made.
    public func awaiting(_ plan: RotationPlan, at moment: Timestamp) -> RotationPlan {
        let standby = ring.standby
        return self.plan(
            at: moment, incoming: standby.map { .standby(kid: $0.kid, algorithm: $0.algorithm) }, activeRetires: true,
            revoked: plan.revoked, isRevoking: plan.isRevoking, signsFrom: standby?.surprisesNobodyFrom)
    }

    /// Plans to have a rotation wait no more. What it has revoked stays so; a key published for it goes where no standby key is
    /// wanted.
    ///
    /// - Throws: `LifecycleError` with `.conflict` when none waits, or `expected` is not the current generation.
    public func planningCancellation(
        at moment: Timestamp, ifGeneration expected: Int? = nil
    ) throws(LifecycleError) -> RotationPlan {
        try require(generation: expected)
        guard rotationRequestedAt != nil else {
            throw LifecycleError(.conflict, "no rotation of the issuer \(name) waits", hint: "nothing has to be done")
        }
        let revoked = settings.standby ? [] : [ring.standby].compactMap { $0?.kid }
        return plan(
            at: moment, incoming: nil, activeRetires: false, revoked: revoked, isRevoking: false, cancelsWaiting: true)
    }

    /// When a rotation that waits goes ahead: no key retiring, the standby key surprising nobody. `nil` without one, or while
    /// its key is missing.
    public var nextAwaitedRotation: Timestamp? {
        guard rotationRequestedAt != nil, let standby = ring.standby else { return nil }
        return max(standby.surprisesNobodyFrom, ring.retiring?.expiresAt ?? standby.knownFrom)
    }
}
