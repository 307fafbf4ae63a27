import KeyLifecycle
import TestSupport

/// A random walk through the life of one issuer, judged after every commit.
struct LifecycleWalk {
    private var random: SeededGenerator
    private var clock = start
    private var issuer: Issuer?
    private var keysMade = 0
    private var urlsMade = 0
    private var issued = IssuanceRecord()
    private var invariants = Invariants()
    private(set) var steps: [String] = []
    /// How often each kind of change was committed.
    private(set) var commits: [String: Int] = [:]

    var violations: [String] { invariants.violations }

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
    }

    /// Walks until `count` steps are done or something does not hold.
    mutating func walk(_ count: Int) throws {
        for _ in 0..<count where violations.isEmpty {
            moveClock()
            guard let issuer else {
                try create()
                continue
            }
            try issued.sign(issuer, at: clock)
            try step(issued.known(issuer, at: clock))
            if let issuer = self.issuer { try issued.sign(issuer, at: clock) }
        }
    }

    private mutating func step(_ issuer: Issuer) throws {
        if issuer.rotationRequestedAt != nil, random.chance(20) { return try rotateWhenSafe(issuer) }
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<14: try rotate(issuer, times: 1)
        case 14..<20: try rotateWhenSafe(issuer)
        case 20..<26: try rotate(issuer, times: 2)
        case 26..<38: try revoke(issuer)
        case 38..<54: try expire(issuer)
        case 54..<70: try publishStandby(issuer)
        case 70..<80: try rotateBySchedule(issuer)
        case 80..<88: try setProfile(issuer)
        case 88..<95: try setSettings(issuer)
        case 95..<98: try replayStalePlan(issuer)
        default: try delete(issuer)
        }
    }

    // MARK: - The clock

    /// Anywhere, and often to the very second at which something is due, or the one before.
    private mutating func moveClock() {
        let deadlines = [issuer?.nextDeadline, issuer?.nextScheduledRotation, issuer?.nextAwaitedRotation].compactMap(\.self)
        if random.chance(25), let deadline = deadlines.randomElement(using: &random) {
            clock = deadline + random.pick([-1, 0, 0])
            return note("clock at a deadline, now \(clock.seconds)")
        }
        let offset: Int =
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<25: 0
            case 25..<50: Int.random(in: 1...400, using: &random)
            case 50..<70: Int.random(in: 1...(30 * hour), using: &random)
            case 70..<80: -Int.random(in: 1...90, using: &random)
            case 80..<90: -Int.random(in: 1...(30 * hour), using: &random)
            case 90..<95: Int.random(in: 1...(4_000 * day), using: &random)
            default: -Int.random(in: 1...(4_000 * day), using: &random)
            }
        clock = clock + offset
        note("clock \(offset >= 0 ? "+" : "")\(offset) s, now \(clock.seconds)")
    }

    // MARK: - Changes

    private mutating func create() throws {
        let settings = randomSettings()
        let url = random.chance(50) ? freshURL() : nil
        let key = makeKey(settings.keySpecification)
        note("create \(settings) url \(url ?? "none") with \(key.kid)")
        commit(
            try Issuer.creating(sampleName(), settings: settings, url: url, firstKey: key, at: clock), "create", .standbyOnly)
    }

    private mutating func delete(_ issuer: Issuer) throws {
        note("delete")
        commit(issuer.deleting(at: clock), "delete", .everything)
    }

    private mutating func rotate(_ issuer: Issuer, times: Int) throws {
        var issuer = issuer
        for _ in 0..<times {
            let revokes = issuer.ring.retiring != nil
            let plan = try issuer.planningRotation(at: clock, ifGeneration: issuer.generation)
            note("rotate")
            expect(plan.isRevoking == revokes, "the rotation revokes although no key is retiring, or the other way round")
            try carryOut(plan, from: issuer, "rotate", revokes ? .revoked : .standbyOnly)
            guard let next = self.issuer else { return }
            try issued.sign(next, at: clock)
            issuer = issued.known(next, at: clock)
        }
    }

    private mutating func revoke(_ issuer: Issuer) throws {
        let kid = random.pick(kids(issuer.ring.keys) + kids(issuer.ring.published) + ["unknown"])
        let canGenerate = random.chance(70)
        note("revoke \(kid)\(canGenerate ? "" : ", no generator")")
        do throws(LifecycleError) {
            let plan = try issuer.planningRevocation(of: kid, at: clock, canGenerate: canGenerate)
            expect(plan.revoked.contains(kid), "the plan does not revoke \(kid)")
            expect(canGenerate || plan.freshKey == nil, "the plan wants a key that cannot be had")
            let ran = try carryOut(plan, from: issuer, canGenerate ? "revoke" : "revoke without a generator", .revoked)
            expect(!ran || self.issuer?.ring[kid]?.state.isPublished == false, "\(kid) is published still")
        } catch {
            let state = issuer.ring[kid]?.state
            let noKeyLeft = state == .active && !canGenerate && issuer.ring.standby == nil
            let expected: LifecycleError.Code = state?.isPublished == true ? .noKeyLeft : .keyNotFound
            expect(noKeyLeft || state?.isPublished != true, "the revocation of a published key is refused: \(error)")
            expect(error.code == expected, "the revocation is refused with \(error.code.rawValue)")
        }
    }

    private mutating func expire(_ issuer: Issuer) throws {
        note("expire")
        if let change = issuer.expiring(at: clock) { commit(change, "expire", .expired) }
    }

    private mutating func publishStandby(_ issuer: Issuer) throws {
        guard issuer.needsStandby else { return }
        let key = makeKey(issuer.settings.keySpecification)
        note("publish standby \(key.kid)")
        commit(try issuer.publishingStandby(key, at: clock), "publish standby", .standbyOnly)
    }

    private mutating func rotateBySchedule(_ issuer: Issuer) throws {
        note("by time")
        guard let plan = issuer.planningDueRotation(at: clock) else { return }
        expect(plan.revoked.isEmpty && !plan.isRevoking, "a rotation by time revokes")
        expect(issuer.ring.retiring == nil, "a rotation by time did not wait for the retiring key")
        expect(
            issuer.ring.standby.map { $0.knownFrom <= clock && $0.publishedAt + 30 <= clock } == true,
            "a rotation by time did not wait for its lead")
        expect(plan.exposure == 0, "a rotation by time surprises somebody")
        let waited = issuer.rotationRequestedAt != nil
        try carryOut(plan, from: issuer, waited ? "awaited rotation" : "scheduled rotation", .standbyOnly)
        expect(self.issuer?.rotationRequestedAt == nil, "a rotation waits that has happened")
    }

    /// Or, while one waits, has it wait no more.
    private mutating func rotateWhenSafe(_ issuer: Issuer) throws {
        if issuer.rotationRequestedAt != nil, random.chance(40) {
            note("cancel")
            commit(try issuer.executing(issuer.planningCancellation(at: clock)), "cancel", .standbyOnly)
            expect(self.issuer?.rotationRequestedAt == nil, "a rotation waits that was given up")
            return expect(self.issuer?.ring.active == issuer.ring.active, "giving up changed the active key")
        }
        let plan = try issuer.planningRotation(at: clock, whenSafe: true)
        note("rotate when safe")
        guard plan.signsFrom != nil else {
            expect(plan.exposure == 0 && plan.revoked.isEmpty, "a rotation that was safe at once surprises somebody")
            try carryOut(plan, from: issuer, "rotate when safe at once", .standbyOnly)
            return
        }
        let key = plan.freshKey.map { makeKey($0) }
        guard let change = try issuer.deferring(plan, fresh: key, at: clock) else {
            return expect(issuer.rotationRequestedAt != nil, "nothing waits, and nothing is to be done")
        }
        commit(change, "rotate when safe", plan.isRevoking ? .revoked : .standbyOnly)
        guard let after = self.issuer else { return }
        expect(after.ring.active == issuer.ring.active, "a rotation that waits has changed the active key")
        expect(after.ring.retiring == nil, "what was to be revoked is not")
        expect(after.nextAwaitedRotation.map { $0 > change.at } == true, "it waits for nothing")
    }

    private mutating func setProfile(_ issuer: Issuer) throws {
        let renews = issuer.profile != .disabled && random.chance(30)
        let update = IssuerUpdate(
            settings: nil, enabled: renews ? nil : random.chance(50), renewsURL: renews, freshURL: freshURL(),
            immediately: random.chance(15))
        note(
            "update \(renews ? "renewing" : "enabled \(update.enabled == true)") url \(update.freshURL)"
                + (update.immediately ? " immediately" : ""))
        guard let change = try issuer.updating(update, at: clock) else { return }
        commit(change, "set profile", .standbyOnly, dropsURLs: update.immediately)
    }

    private mutating func setSettings(_ issuer: Issuer) throws {
        let update = IssuerUpdate(
            settings: randomSettings(), enabled: random.chance(20) ? random.chance(50) : nil, freshURL: freshURL(),
            immediately: false)
        let wantsKey = issuer.needsFreshStandby(for: update) && random.chance(80)
        let key = wantsKey ? update.settings.map { makeKey($0.keySpecification) } : nil
        note(
            "update \(update.settings.map { "\($0)" } ?? "") enabled \(update.enabled.map { "\($0)" } ?? "as is") fresh \(key?.kid ?? "none")"
        )
        guard let change = try issuer.updating(update, freshStandby: key, at: clock) else { return }
        commit(change, "set settings", .standbyOnly)
    }

    /// Somebody else changes the issuer between a plan and its execution: the plan must not run any more.
    private mutating func replayStalePlan(_ issuer: Issuer) throws {
        let plan = try issuer.planningRotation(at: clock)
        note("stale plan")
        try rotate(issuer, times: 1)
        guard let moved = self.issuer else { return }
        let key = makeKey(plan.freshKey ?? .rs256)
        expect(refusal { _ = try moved.executing(plan) } == .conflict, "a stale plan runs")
        expect(refusal { _ = try moved.publishingFresh(key, for: plan, at: clock) } == .conflict, "a stale plan publishes")
        expect(
            refusal { _ = try moved.planningRotation(at: clock, ifGeneration: issuer.generation) } == .conflict,
            "a stale generation is planned from")
    }

    /// Publishes the plan's fresh key where it wants one, lets time pass and others interfere, and executes it.
    ///
    /// - Returns: whether it was executed; interference may have made it a conflict.
    @discardableResult
    private mutating func carryOut(
        _ plan: RotationPlan, from issuer: Issuer, _ name: String, _ endings: Endings
    ) throws(LifecycleError) -> Bool {
        guard let wanted = plan.freshKey else {
            commit(try issuer.executing(plan), name, endings)
            return true
        }
        let key = makeKey(wanted)
        note("  publish \(key.kid)")
        commit(try issuer.publishingFresh(key, for: plan, at: clock), "publish fresh", .standbyOnly)
        signOnce()
        if random.chance(30) { moveClock() }
        if random.chance(20) { try interfere() }
        guard let published = self.issuer else { return false }
        signOnce()
        let known = issued.known(published, at: clock)
        let isStillStandby = published.ring.standby?.kid == key.kid
        do throws(LifecycleError) {
            commit(try known.executing(known.continuing(plan, withPublished: key.kid, at: clock)), name, endings)
            expect(isStillStandby, "a plan runs although its key is not the standby key any more")
            expect(self.issuer?.ring.active?.kid == key.kid, "the fresh key does not sign")
            return true
        } catch {
            expect(error.code == .conflict && !isStillStandby, "the plan is refused: \(error)")
            return false
        }
    }

    /// What another agent, or the background service, may do while a fresh key is being fetched.
    private mutating func interfere() throws(LifecycleError) {
        guard let current = issuer else { return }
        let known = issued.known(current, at: clock)
        let plan = try known.planningRotation(at: clock)
        if random.chance(40) {
            note("  meanwhile expire")
            if let change = known.expiring(at: clock) { commit(change, "expire meanwhile", .expired) }
        } else if plan.freshKey == nil, random.chance(50) {
            note("  meanwhile rotate")
            commit(try known.executing(plan), "rotate meanwhile", .standbyOnly)
        } else if let kid = known.ring.published.map(\.kid).randomElement(using: &random) {
            note("  meanwhile revoke \(kid)")
            let plan = try known.planningRevocation(of: kid, at: clock, canGenerate: false)
            commit(try known.executing(plan), "revoke meanwhile", .revoked)
        }
    }

    // MARK: - Bookkeeping

    private mutating func commit(_ change: IssuerChange, _ name: String, _ endings: Endings, dropsURLs: Bool = false) {
        invariants.judge(change, from: issuer, asked: endings, at: clock, issued: issued, dropsURLs: dropsURLs)
        issuer = change.issuer
        commits[name, default: 0] += 1
        let published = issuer?.ring.published.map { "\($0.kid) \($0.state.rawValue)" } ?? ["gone"]
        note("  = \(published.joined(separator: ", ")), generation \(issuer?.generation ?? 0), \(change.at.seconds)")
    }

    private mutating func signOnce() {
        guard let issuer else { return }
        do { try issued.sign(issuer, at: clock) } catch { expect(false, "the longest lifetime is not granted: \(error)") }
    }

    private mutating func expect(_ holds: Bool, _ violation: @autoclosure () -> String) {
        if !holds { invariants.report(violation()) }
    }

    private mutating func note(_ step: String) {
        steps.append(step)
    }

    private mutating func makeKey(_ specification: KeySpecification) -> GeneratedKey {
        keysMade += 1
        return sampleKey(keysMade, specification)
    }

    private mutating func freshURL() -> String {
        urlsMade += 1
        return "https://oidc.example/t/\(urlsMade)/"
    }

    private mutating func randomSettings() -> IssuerSettings {
        let maximum = random.pick([600, hour, 12 * hour, day])
        let overlap = random.pick([maximum, day, 3 * day])
        let standby = random.chance(75)
        return IssuerSettings(
            algorithm: random.pick([.rs256, .es256]), rsaBits: random.pick([2_048, 4_096]), lifetime: 600,
            maximumLifetime: maximum, overlap: overlap,
            jwksMaxAge: random.pick([10, 60, 300, day]), standby: standby,
            rotateEvery: standby && random.chance(80) ? overlap + random.pick([1, hour, 30 * day]) : nil)
    }
}
