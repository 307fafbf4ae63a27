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
    /// How long changes wait for the other agents, where they do not wait for all of them.
    struct Limits: Sendable {
        /// For those that are there to be able to use a key, and for their frontends to serve it: a second unless given.
        var readiness = Duration.seconds(1)
        /// For a change that takes nothing back to count for them: a second unless given.
        var brief = Duration.seconds(1)
    }

    /// How often parts of the store are asked after that it works without.
    private static let remarkInterval = Duration.seconds(60)
    /// How often keys are tried again that could not be used.
    private static let trialInterval = Duration.seconds(5)
    /// How long a request waits for a look at the store.
    private static let patience = Duration.seconds(1)

    nonisolated let store: any SharedIssuerStorage
    nonisolated let member: FleetMember
    nonisolated let progress: MemberProgress
    nonisolated let limits: Limits
    nonisolated let fence: SigningFence
    /// The longest that any agent of the fleet signs unconfirmed, in seconds.
    private nonisolated let longest: Locked<Int>
    private nonisolated let shown = Locked(Int64?.none)
    private let tryKey: @Sendable (KeyReference) async throws -> Void
    private let clock: AgentClock
    private let log: Logger
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
    /// Agents that have been given up, so that it is said once.
    private var dismissed: Set<FleetMember> = []
    private var lastReport: MemberReport?
    private var current: Task<Void, Never>?
    private var following: Task<Void, Never>?
    private var tasks: [Task<Void, Never>] = []
    private var isReporting = false
    private var isReportWanted = false
    private var isTrying = false
    private var isEnding = false

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

    /// As `look()`, for a request that waits for it: a second at most.
    nonisolated func lookBriefly() async {
        await forAtMost(Self.patience) { await self.look() }
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
    private func poll() async {
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

    func monotonic() -> Int64 { clock.monotonic() }

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

    func renew() async {
        guard expulsion == nil else { return }
        do {
            try await store.renew(clock: clock.wallMilliseconds())
        } catch let error as StoreError where error.code == .occupied {
            expel(error)
        } catch {
            log.debug("the fleet could not be told that this agent is there", metadata: ["reason": "\(error)"])
        }
    }

    private func expel(_ error: StoreError) {
        guard expulsion == nil, !isEnding else { return }
        expulsion = error
        fence.shut()
        log.critical("the agent signs nothing any more", metadata: ["reason": "\(error)", "hint": "\(error.hint)"])
    }

    func lookAtRoster() async {
        defer { gauges.record(standing) }
        guard let reading = try? await store.fleet() else { return }
        take(reading)
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

    private func lookForTroubles() async {
        let found = await store.troubles()
        for trouble in found where !remarks.contains(where: { $0.message == trouble.message }) {
            log.warning(
                "something is wrong with a part of the store", metadata: ["reason": "\(trouble)", "hint": "\(trouble.hint)"])
        }
        remarks = found
    }

    private func take(_ reading: FleetReading) {
        dismissed.formIntersection(reading.entries.map(\.member))
        // It hung on a lease that has run out while the store did not answer.
        if reading.entries.contains(where: { $0.member.incarnation == member.incarnation && $0.report == nil }) {
            lastReport = nil
        }
        roster.take(reading, wall: clock.wallMilliseconds(), now: clock.monotonic())
        let most = reading.entries.map(\.member.staleness).max() ?? 0
        longest.withLock { $0 = max(most, member.staleness) }
    }

    /// The longest that any agent of the fleet signs unconfirmed, in seconds.
    nonisolated var longestStaleness: Int { longest.withLock { $0 } }

    // MARK: - Reporting

    /// Has the others told what has changed, once there is something to tell.
    private func reportSoon() {
        isReportWanted = true
        guard !isReporting else { return }
        isReporting = true
        Task {
            while self.takeReportWish() {
                await self.settleBriefly()
                await self.report()
            }
        }
    }

    private func takeReportWish() -> Bool {
        defer { isReportWanted = false }
        if !isReportWanted || isEnding { isReporting = false }
        return isReporting
    }

    /// Most of what a new view leaves to do is done in a moment: it is told in one word then.
    private func settleBriefly() async {
        tryKeys()
        for _ in 0..<5 {
            let report = progress.report(view.revision)
            if !report.isBehindMuch, report.draining.isEmpty, report.unserved.isEmpty, report.unusable.isEmpty { return }
            try? await Task.sleep(for: .milliseconds(10))
        }
    }

    private func report() async {
        let report = progress.report(view.revision)
        guard report != lastReport, expulsion == nil, !isEnding else { return }
        do {
            try await store.report(report)
            lastReport = report
        } catch {
            log.debug("the fleet could not be told how far this agent has come", metadata: ["reason": "\(error)"])
        }
    }

    /// What was not done in a moment, or could not be told.
    private func reportIfNeeded() {
        tryKeys()
        var report = progress.report(view.revision)
        guard let lastReport else { return reportSoon() }
        // A revision that nothing has changed by is not worth a word.
        report.revision = lastReport.revision
        if report != lastReport || view.revision > lastReport.revision { reportSoon() }
    }

    /// A former key has been replaced: its last signature is waited for.
    nonisolated func drain(_ key: KeyReference, of issuer: String) {
        Task {
            await key.use.drained()
            self.progress.drained(key, of: issuer)
            await self.reportSoon()
        }
    }

    private func tryKeys() {
        guard !isTrying else { return }
        let keys = progress.takeUntried(8)
        guard !keys.isEmpty else { return }
        isTrying = true
        Task {
            await withTaskGroup(of: Void.self) { group in
                for key in keys {
                    group.addTask { [tryKey, progress, log] in
                        do {
                            try await tryKey(key)
                            progress.tried(key, nil)
                        } catch {
                            progress.tried(key, error as? HSMError ?? HSMError(signing: error))
                            log.warning(
                                "a published key cannot be used by this agent",
                                metadata: ["kid": "\(key.kid)", "reason": "\(error)"])
                        }
                    }
                }
            }
            self.triedKeys()
        }
    }

    private func triedKeys() {
        isTrying = false
        reportSoon()
        tryKeys()
    }

    /// Tries keys again that could not be used.
    func tryKeysAgain() {
        progress.tryAgain()
        tryKeys()
    }

    // MARK: - Waiting for the others

    /// Waits until a change counts for every agent that took part when it was committed, or cannot be gone by the past any more.
    ///
    /// - Parameters:
    ///   - revision: of the commit, which has been made.
    ///   - committedAt: when that was known, in nanoseconds of the monotonic clock.
    ///   - limit: after which what is still open is told as such; `nil` waits for all.
    func settle(_ issuer: String, revision: Int64, committedAt: Int64, limit: Duration?) async -> FleetSettlement {
        var settling = Settling(issuer: issuer, revision: revision, own: member.incarnation, committedAt: committedAt)
        let end = limit.map { clock.monotonic() + $0.nanoseconds }
        var pause = Duration.milliseconds(15)
        while true {
            if let reading = try? await store.fleet() {
                take(reading)
                settling.take(reading, now: clock.monotonic())
            } else {
                settling.look(at: clock.monotonic())
            }
            let settlement = settling.settlement
            if settlement.isSettled { return settlement }
            if let end, clock.monotonic() >= end { return settlement }
            // Also who takes part must be known in the end.
            if settlement.failure != nil, clock.monotonic() - committedAt > Int64(member.staleness) * 1_000_000_000 {
                return settlement
            }
            if isEnding { return settlement }
            try? await Task.sleep(for: pause)
            pause = min(pause * 1.5, .milliseconds(250))
        }
    }

    /// Waits until every agent that is there can use a published key and its frontends serve it, as long as a publication may take.
    func awaitReadiness(_ issuer: String, kid: String, revision: Int64) async -> FleetReadiness? {
        let end = clock.monotonic() + limits.readiness.nanoseconds
        var readiness: FleetReadiness?
        while true {
            if let reading = try? await store.fleet() {
                take(reading)
                readiness = FleetReadiness(reading, issuer: issuer, kid: kid, revision: revision, own: member.incarnation)
                if readiness?.lacking.isEmpty == true { return readiness }
            }
            guard clock.monotonic() < end, !isEnding else { return readiness }
            try? await Task.sleep(for: .milliseconds(15))
        }
    }
}

extension Duration {
    fileprivate var nanoseconds: Int64 { components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000 }
}

extension StoreError {
    fileprivate init(following error: any Error) {
        self =
            error as? StoreError
            ?? StoreError(.unavailable, "the store could not be asked: \(error)", hint: "see the agent's log", cause: error)
    }
}
