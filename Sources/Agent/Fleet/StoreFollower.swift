import IssuerStore
import Logging
import Platform

/// Who makes the agent go by what the store shows.
protocol ViewAdopter: AnyObject, Sendable {
    /// A view is about to be read.
    ///
    /// - Returns: what `adopt` is to be given with it.
    func viewBegins() async -> ViewMark

    /// Goes by the view from now on, as far as it is newer than what this agent knows.
    ///
    /// - Returns: false when the store must not be believed, so that it confirms nothing.
    func adopt(_ view: StoreView, since mark: ViewMark) async -> Bool

    /// Whether a view that has been adopted is to be adopted once more, since the token may show now what it did not.
    var waitsForToken: Bool { get async }
}

/// What this agent had changed by itself when a view was begun to be read.
struct ViewMark: Hashable, Sendable {
    let changes: Int
}

/// Follows a store that other agents change as well: keeps the agent's view confirmed, or the fence shut, takes part in the fleet,
/// and says how far this agent has come.
///
/// What the store tells by itself is a reason to look; what a read says, that was sent, is the truth.
actor StoreFollower {
    /// How often the store is asked whether anything has changed.
    static let interval = Duration.seconds(2)
    /// How often this agent says that it is there.
    static let renewal = Duration.seconds(10)
    /// How long changes wait for the other agents, where they do not wait for all of them, and requests for the store.
    struct Limits: Sendable {
        /// For those that are there to be able to use a key, and for their frontends to serve it: a second unless given.
        var readiness = Duration.seconds(1)
        /// For a change that takes nothing back to count for them: a second unless given.
        var brief = Duration.seconds(1)
        /// For a look at the store, where a request waits for it: a second unless given.
        var look = Duration.seconds(1)
    }

    /// How often parts of the store are asked after that it works without.
    private static let remarkInterval = Duration.seconds(60)
    /// How often keys are tried again that could not be used.
    private static let trialInterval = Duration.seconds(5)

    nonisolated let store: any SharedIssuerStorage
    nonisolated let member: FleetMember
    nonisolated let progress: MemberProgress
    nonisolated let limits: Limits
    nonisolated let fence: SigningFence
    /// The longest that any agent of the fleet signs unconfirmed, in seconds.
    private nonisolated let longest: Locked<Int>
    private nonisolated let shown = Locked(Int64?.none)
    /// What the wall clock may show at most.
    nonisolated let time = FleetTime()
    private var vouched = VouchedClock()
    let tryKey: @Sendable (KeyReference) async throws -> Void
    let clock: AgentClock
    let log: Logger
    private let gauges = FleetGauges()
    private weak var adopter: (any ViewAdopter)?

    private(set) var view = ConfirmedView()
    private(set) var roster = FleetRoster()
    /// Why the store could not be asked the last time.
    private(set) var trouble: StoreError?
    /// Why this agent signs nothing any more, for as long as it runs.
    private(set) var expulsion: StoreError?
    /// What is wrong with parts of the store, which works without them.
    private(set) var remarks: [StoreError] = []
    /// Why the store, which can be read, took nothing from this agent the last time.
    var silence: StoreError?
    var pace = StorePace()
    /// Agents that have been given up, so that it is said once.
    private var dismissed: Set<FleetMember> = []
    var lastReport: MemberReport?
    private var current: Task<Void, Never>?
    private var following: Task<Void, Never>?
    private var tasks: [Task<Void, Never>] = []
    var isReporting = false
    var isReportWanted = false
    var isTrying = false
    private(set) var isEnding = false

    init(
        store: any SharedIssuerStorage, member: FleetMember, limits: Limits = Limits(), feed: ChangeFeed, fence: SigningFence,
        tryKey: @escaping @Sendable (KeyReference) async throws -> Void, clock: AgentClock, log: Logger
    ) {
        self.store = store
        self.member = member
        self.limits = limits
        self.fence = fence
        longest = Locked(member.staleness)
        self.tryKey = tryKey
        self.clock = clock
        self.log = log
        progress = MemberProgress(feed: feed)
    }

    // MARK: - From start to end

    /// Enters among the members. To be called before the first view is read.
    ///
    /// - Throws: `StoreError`.
    func join() async throws {
        try await store.join(member)
        // Before anything is dated: a clock that was wrong when the agent started is ahead of the others' by then.
        _ = await readRoster()
    }

    /// Takes the first view for adopted: the registry has read it itself.
    func begin(with first: StoreView, _ adopter: any ViewAdopter) {
        self.adopter = adopter
        view.adopt(first)
        confirm()
    }

    /// Follows from now on.
    func start() {
        tasks = [
            every(Self.interval) { [weak self] in await self?.poll() },
            every(Self.renewal) { [weak self] in await self?.renew() },
            every(Self.interval) { [weak self] in await self?.lookAtRoster() },
            every(.milliseconds(200)) { [weak self] in await self?.reportIfNeeded() },
            every(Self.remarkInterval) { [weak self] in await self?.lookForTroubles() },
            every(Self.trialInterval) { [weak self] in await self?.tryKeysAgain() },
            Task { [weak self] in await self?.watch() },
        ]
    }

    /// Signs nothing any more and takes this agent from the members. To be called when the last signature has been handed over.
    func stop() async {
        isEnding = true
        for task in tasks { task.cancel() }
        fence.shut()
        guard expulsion == nil else { return }
        do {
            try await store.leave()
        } catch {
            log.notice(
                "the other agents wait for this one until it cannot sign any more",
                metadata: ["reason": "\(error)", "seconds": "\(member.staleness)"])
        }
    }

    // MARK: - Looking

    /// Looks at the store, and returns when the agent goes by what a look has shown that was begun after this call.
    func look() async {
        if let following { return await following.value }
        let before = current
        let task = Task {
            if let before {
                await before.value
                self.promote()
            }
            await self.lookNow()
            self.lookEnded()
        }
        if before == nil { current = task } else { following = task }
        await task.value
    }

    /// As `look()`, for a request that waits for it: as long as that may take.
    nonisolated func lookBriefly() async {
        await forAtMost(limits.look) { await self.look() }
    }

    private func promote() {
        current = following
        following = nil
    }

    private func lookEnded() {
        if following == nil { current = nil }
    }

    private func lookNow() async {
        guard let adopter, expulsion == nil else { return }
        do {
            let mark = await adopter.viewBegins()
            let seen = try await store.view()
            guard await adopter.adopt(seen, since: mark) else { return noteTrouble(nil) }
            let showsAll = await !adopter.waitsForToken
            view.adopt(seen)
            confirm(showingAll: showsAll)
            noteTrouble(nil)
            reportSoon()
        } catch {
            noteTrouble(StoreError(following: error))
        }
    }

    /// Asks whether anything has changed, and looks if so.
    func poll() async {
        guard expulsion == nil else { return }
        do {
            let reading = try await store.head()
            if await adopter?.waitsForToken == true {
                await look()
            } else if view.isConfirmed(by: reading) {
                confirm()
                noteTrouble(nil)
            } else {
                await look()
            }
        } catch {
            noteTrouble(StoreError(following: error))
        }
    }

    /// When the read was sent that last confirmed what this agent hands out, of every issuer, in nanoseconds of the monotonic clock. While the
    /// token does not show an issuer's keys, what is published of that may be older than the view.
    nonisolated var shownAt: Int64? { shown.withLock { $0 } }

    private func confirm(showingAll showsAll: Bool = true) {
        guard let confirmedAt = view.confirmedAt else { return }
        if showsAll { shown.withLock { $0 = confirmedAt } }
        fence.move(to: confirmedAt + Int64(member.staleness) * 1_000_000_000)
    }

    private func noteTrouble(_ error: StoreError?) {
        // What is given up at the end says nothing of the store.
        guard !isEnding else { return }
        if let error, error.code == .occupied { return expel(error) }
        guard (error == nil) != (trouble == nil) || error?.message != trouble?.message else { return }
        let isNews = (error == nil) != (trouble == nil)
        trouble = error
        guard isNews else { return }
        if let error {
            log.error(
                "the store does not confirm what the agent goes by",
                metadata: ["reason": "\(error)", "hint": "\(error.hint)", "signsForSeconds": "\(secondsLeft)"])
        } else {
            log.notice("the store confirms again what the agent goes by")
        }
    }

    /// For how long signatures go on without another confirmation.
    var secondsLeft: Int64 { max(fence.until - clock.monotonic(), 0) / 1_000_000_000 }

    /// Has the store tell of changes, again and again.
    private func watch() async {
        var pause = Duration.milliseconds(100)
        while !Task.isCancelled {
            let began = clock.monotonic()
            do {
                try await store.watch(after: view.revision) { [weak self] hint in
                    switch hint {
                    case .contents: await self?.look()
                    case .members: break
                    }
                }
            } catch {
                if Task.isCancelled { return }
                log.debug("the watch of the store has ended", metadata: ["reason": "\(error)"])
            }
            // One that lasted is opened again at once.
            pause = clock.monotonic() - began > 5_000_000_000 ? .milliseconds(100) : min(pause * 2, .seconds(5))
            try? await Task.sleep(for: pause)
            await poll()
        }
    }

    // MARK: - The fleet

    func expel(_ error: StoreError) {
        guard expulsion == nil, !isEnding else { return }
        expulsion = error
        fence.shut()
        log.critical("the agent signs nothing any more", metadata: ["reason": "\(error)", "hint": "\(error.hint)"])
    }

    func lookAtRoster() async {
        defer { gauges.record(standing) }
        guard await readRoster() != nil else { return }
        for member in roster.spent(at: clock.monotonic()) where member.incarnation != self.member.incarnation {
            do {
                try await store.dismiss(member)
                guard dismissed.insert(member).inserted else { continue }
                log.notice(
                    "an agent is gone, and cannot sign any more",
                    metadata: ["agent": "\(member.id)", "host": "\(member.host)"])
            } catch {
                log.debug("an agent that is gone could not be dismissed", metadata: ["reason": "\(error)"])
            }
        }
    }

    func lookForTroubles() async {
        let found = await store.troubles()
        for trouble in found where !remarks.contains(where: { $0.message == trouble.message }) {
            log.warning(
                "something is wrong with a part of the store", metadata: ["reason": "\(trouble)", "hint": "\(trouble.hint)"])
        }
        remarks = found
    }

    /// Reads who takes part, and how far each has come.
    ///
    /// - Returns: `nil` when the store does not answer.
    func readRoster() async -> FleetReading? {
        guard let reading = try? await store.fleet() else { return nil }
        take(reading)
        return reading
    }

    private func take(_ reading: FleetReading) {
        dismissed.formIntersection(reading.entries.map(\.member))
        // It hung on a lease that has run out while the store did not answer.
        if reading.entries.contains(where: { $0.member.incarnation == member.incarnation && $0.report == nil }) {
            lastReport = nil
        }
        let (wall, now) = (clock.wallMilliseconds(), clock.monotonic())
        roster.take(reading, wall: wall, now: now)
        time.limit(to: vouched.limit(own: wall - now / 1_000_000, others: roster.leads(but: member.incarnation)))
        let most = reading.entries.map(\.member.staleness).max() ?? 0
        longest.withLock { $0 = max(most, member.staleness) }
    }

    /// The longest that any agent of the fleet signs unconfirmed, in seconds.
    nonisolated var longestStaleness: Int { longest.withLock { $0 } }
}

extension StoreError {
    init(following error: any Error) {
        self =
            error as? StoreError
            ?? StoreError(.unavailable, "the store could not be asked: \(error)", hint: "see the agent's log", cause: error)
    }
}
