public import IssuerStore
public import KeyLifecycle
import Platform

/// A store that several agents share, in the memory of a test, which says what of it reaches whom, and when.
///
/// One of these is what etcd would be; each agent has a ``Handle`` of its own. No call waits for a time: what waits does so until
/// the test lets it go on, and leases run out by the clock that the test gives.
public final class InMemorySharedStore: Sendable {
    public let deployment: Deployment
    let common: Locked<SharedState>
    let clock: @Sendable () -> Int64

    /// - Parameter clock: nanoseconds, by which leases run out after 30 s.
    public init(deployment: Deployment, clock: @escaping @Sendable () -> Int64) {
        self.deployment = deployment
        self.clock = clock
        common = Locked(SharedState())
    }

    /// What an agent has of the store.
    ///
    /// - Parameters:
    ///   - incarnation: of this start.
    ///   - machine: whose memory it uses: two starts of one machine are known to follow each other. Its id unless one is given.
    ///   - clock: what its machine has for `CLOCK_BOOTTIME`, in nanoseconds.
    public func handle(
        agent: String, incarnation: String, machine: String? = nil, clock: @escaping @Sendable () -> Int64
    ) -> Handle {
        let line = StoreLine(of: agent)
        common.withLock { $0.lines.append(line) }
        return Handle(
            store: self, user: .init(agent: agent, incarnation: incarnation, keeper: machine ?? agent), line: line, clock: clock)
    }

    /// Ends the lease of an agent now, as etcd does when it has not heard of it, or by a fault of its own.
    public func expireLeases(of agent: String) {
        changing { state, _ in state.expireLeases(of: agent) }
    }

    /// Changes issuers past every agent and without a word in `head`, as whoever can write to etcd might.
    public func edit(_ body: @escaping @Sendable (inout [IssuerName: Issuer]) -> Void) {
        changing { state, _ in
            body(&state.contents.issuers)
            state.touchContents()
        }
    }

    /// Wants a key destroyed past every agent, as whoever can write to etcd might.
    public func order(_ destruction: PendingDestruction) {
        changing { state, _ in
            state.contents.destructions.append(destruction)
            state.touchContents()
        }
    }

    /// Has an agent's audit log look as if it had come so far, as whoever can write to etcd might.
    public func edit(head: PublishedHead) {
        changing { state, _ in state.heads[head.agent] = head }
    }

    /// Has these issuers not be believed, and no others.
    public func setUnreadable(_ issuers: [IssuerName: String]) {
        changing { state, _ in
            state.unreadable = issuers
            state.touchContents()
        }
    }

    /// All that is in the store as it is now, for `restore`.
    public struct Backup: Sendable {
        let state: SharedState
    }

    public func backup() -> Backup { Backup(state: common.withLock { $0 }) }

    /// Puts everything back to what it was then, revisions included, as a snapshot of etcd does. What each machine remembers stays.
    public func restore(_ backup: Backup) {
        changing { state, _ in state.restore(backup.state) }
    }

    /// Carries out a change of the common state and tells whoever watches, an agent nothing of what it says of itself.
    @discardableResult
    func changing<Value: Sendable, Failure: Error>(
        by agent: String? = nil, _ body: @Sendable (inout SharedState, _ now: Int64) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        let now = clock()
        let (value, hints, lines) = try common.withLock { state throws(Failure) in
            let before = (state.contentsRevision, state.membersRevision)
            var next = state
            let value = try body(&next, now)
            state = next
            var hints: [StoreHint] = []
            if state.contentsRevision != before.0 { hints.append(.contents) }
            if state.membersRevision != before.1 { hints.append(.members) }
            return (value, hints, state.lines)
        }
        for line in lines { for hint in hints where hint == .contents || line.agent != agent { line.tell(hint) } }
        return value
    }
}

/// Who uses the store.
struct SharedUser: Hashable, Sendable {
    let agent, incarnation, keeper: String
}

/// What is common to all. A method that throws may have changed it: `InMemorySharedStore.changing` works on a copy.
struct SharedState: Sendable {
    static let leaseTime: Int64 = 30_000_000_000

    struct Member: Sendable {
        var member: FleetMember
        var keeper: String
        /// It has not been there, and goes unless it comes back.
        var isLeaving = false
        var revision: Int64
    }

    struct Lease: Sendable {
        var id: Int64
        var end: Int64
    }

    struct Presence: Sendable {
        var user: SharedUser
        var clock: Int64
        var revision: Int64
        var lease: Int64
    }

    struct Reported: Sendable {
        var user: SharedUser
        var report: MemberReport
        var lease: Int64
    }

    struct Claim: Sendable {
        var user: SharedUser
        var lease: Int64
    }

    /// What one machine remembers of the store.
    struct Machine: Sendable {
        var revision: Int64 = 0
        var epoch = 0
        var generations: [IssuerName: Int] = [:]
        var refused: RefusedPIN?
        var frontends = 0
    }

    var contents = InMemoryState()
    var unreadable: [IssuerName: String] = [:]
    private(set) var revision: Int64 = 1
    private(set) var head = StoreHead(id: "head-1", revision: 1)
    /// Counts what operators have decided.
    var epoch = 1
    private(set) var contentsRevision: Int64 = 1
    private(set) var membersRevision: Int64 = 0
    /// By id; a former holder of an id by both its id and its start.
    var members: [String: Member] = [:]
    private var presences: [String: Presence] = [:]
    private var reports: [String: Reported] = [:]
    private var claims: [IssuerName: Claim] = [:]
    private var leases: [SharedUser: Lease] = [:]
    var machines: [String: Machine] = [:]
    /// What each agent has shown of its audit log.
    var heads: [String: PublishedHead] = [:]
    var lines: [StoreLine] = []

    mutating func touchContents() {
        revision += 1
        contentsRevision = revision
    }

    mutating func touchMembers() {
        revision += 1
        membersRevision = revision
    }

    mutating func touchHead() {
        touchContents()
        head = StoreHead(id: "head-\(revision)", revision: revision)
    }

    mutating func restore(_ old: SharedState) {
        let (machines, lines, latest) = (machines, lines, max(contentsRevision, membersRevision))
        self = old
        (self.machines, self.lines) = (machines, lines)
        // So that whoever watches looks.
        if contentsRevision == latest { touchContents() }
    }

    /// Changes what is committed; `head` only if anything is different afterwards.
    ///
    /// - Returns: the revision that this has made; `nil` when nothing is different.
    mutating func change(_ body: (inout InMemoryState) throws(StoreError) -> Void) throws(StoreError) -> Int64? {
        let before = contents
        try body(&contents)
        guard contents != before else { return nil }
        touchHead()
        return revision
    }

    // MARK: Who is there

    private func isAlive(_ lease: Int64, _ now: Int64) -> Bool {
        leases.values.contains { $0.id == lease && $0.end > now }
    }

    private mutating func lease(of user: SharedUser, _ now: Int64) -> Int64 {
        if let lease = leases[user], lease.end > now { return lease.id }
        revision += 1
        leases[user] = Lease(id: revision, end: now + Self.leaseTime)
        return revision
    }

    mutating func expireLeases(of agent: String) {
        guard let presence = presences[agent] else { return }
        leases[presence.user] = nil
        touchMembers()
    }

    private func isThere(_ agent: String, _ now: Int64) -> Bool {
        presences[agent].map { isAlive($0.lease, now) } ?? false
    }

    mutating func join(_ member: FleetMember, _ user: SharedUser, _ now: Int64) throws(StoreError) {
        if var former = members[member.id], former.member.incarnation != member.incarnation {
            if former.keeper != user.keeper {
                guard !isThere(member.id, now) else { throw .occupied(member.id, former.member.host) }
                former.isLeaving = true
                former.revision = revision + 1
                members["\(member.id)/\(former.member.incarnation)"] = former
            }
            touchHead()
        }
        touchMembers()
        members[member.id] = Member(member: member, keeper: user.keeper, revision: revision)
    }

    /// Has a member that joined be one still, or again.
    ///
    /// - Returns: whether it had been taken from the members meanwhile, so that others have not waited for it.
    mutating func confirm(_ member: FleetMember, _ user: SharedUser) throws(StoreError) -> Bool {
        guard let stored = members[member.id] else {
            touchMembers()
            members[member.id] = Member(member: member, keeper: user.keeper, revision: revision)
            return true
        }
        guard stored.member.incarnation == member.incarnation else { throw .occupied(member.id, stored.member.host) }
        guard stored.isLeaving else { return false }
        touchMembers()
        members[member.id] = Member(member: member, keeper: user.keeper, revision: revision)
        return false
    }

    mutating func renew(_ member: FleetMember, clock: Int64, _ user: SharedUser, _ now: Int64) throws(StoreError) {
        _ = try confirm(member, user)
        let lease = lease(of: user, now)
        leases[user]?.end = now + Self.leaseTime
        // That it is still there is no news.
        if let known = presences[member.id], known.user == user, known.lease == lease {
            revision += 1
        } else {
            touchMembers()
        }
        presences[member.id] = Presence(user: user, clock: clock, revision: revision, lease: lease)
    }

    mutating func report(_ report: MemberReport, _ user: SharedUser, _ now: Int64) {
        let lease = lease(of: user, now)
        touchMembers()
        reports[user.agent] = Reported(user: user, report: report, lease: lease)
    }

    mutating func leave(_ user: SharedUser) {
        guard members[user.agent]?.member.incarnation == user.incarnation else { return }
        members[user.agent] = nil
        leases[user] = nil
        touchMembers()
    }

    func fleet(_ now: Int64) -> [FleetReading.Entry] {
        members.sorted { $0.key < $1.key }.map { key, row in
            let member = row.member
            let presence = presences[key].flatMap { presence in
                presence.user.incarnation == member.incarnation && isAlive(presence.lease, now) ? presence : nil
            }
            let reported = reports[key].flatMap { reported in
                reported.user.incarnation == member.incarnation && isAlive(reported.lease, now) ? reported.report : nil
            }
            return FleetReading.Entry(
                member: member, clock: presence?.clock, clockRevision: presence?.revision ?? 0, report: reported)
        }
    }

    /// Marks a member that is not there; any that comes back takes the mark away before it confirms anything.
    mutating func beginDismissal(of member: FleetMember, _ now: Int64) {
        guard let (key, row) = members.first(where: { $0.value.member == member }), !row.isLeaving else { return }
        guard !isThere(key, now) else { return }
        touchHead()
        touchMembers()
        members[key]?.isLeaving = true
        members[key]?.revision = revision
    }

    /// Takes a member away whose mark is still the one that was seen.
    mutating func endDismissal(of key: String, _ seen: Int64) {
        guard let row = members[key], row.isLeaving, row.revision == seen else { return }
        members[key] = nil
        touchMembers()
    }

    // MARK: Claims

    mutating func claim(_ issuer: IssuerName, _ user: SharedUser, _ now: Int64) -> Bool {
        if let claim = claims[issuer], isAlive(claim.lease, now) { return claim.user == user }
        claims[issuer] = Claim(user: user, lease: lease(of: user, now))
        return true
    }

    mutating func release(_ issuer: IssuerName, _ user: SharedUser) {
        guard claims[issuer]?.user == user else { return }
        claims[issuer] = nil
    }

    // MARK: What machines remember

    /// What the store says less of than the machine has seen; unless there is anything, the machine takes on what it says now.
    mutating func regressions(for keeper: String, _ contents: StoreContents) -> [StoreRegression] {
        var machine = machines[keeper] ?? Machine()
        var now = contents.formerGenerations
        for issuer in contents.issuers { now[issuer.name] = issuer.generation }
        var found: [StoreRegression] = []
        if epoch <= machine.epoch {
            if revision < machine.revision { found.append(.revision(known: machine.revision, now: revision)) }
            for (issuer, known) in machine.generations.sorted(by: { $0.key < $1.key })
            where known > now[issuer] ?? 0 && unreadable[issuer] == nil {
                found.append(.generation(issuer: issuer.text, known: known, now: now[issuer] ?? 0))
            }
            guard found.isEmpty else { return found }
        } else {
            machine.generations = [:]
        }
        machine.epoch = epoch
        machine.revision = revision
        machine.generations.merge(now) { max($0, $1) }
        machines[keeper] = machine
        return []
    }
}

extension StoreError {
    static func occupied(_ id: String, _ host: String) -> StoreError {
        StoreError(
            .occupied, "another agent has the id \(id), on \(host)", hint: "give each agent of a fleet an id of its own")
    }
}
