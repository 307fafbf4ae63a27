import JOSE
import KeyLifecycle
import Logging
import PKCS11
import Platform

/// The HSM token of an agent: the threads that sign, the one that manages keys, and those that watch over them, with one
/// login.
final class HSM: Sendable {
    /// The state of the PIN's source when it was read.
    let pinIdentity: String
    let custody: any KeyCustody
    private let tokenManagement: TokenManagement
    let status: HSMStatus
    let access: TokenAccess
    private let management: ManagementThread
    private let priority: BackgroundPriority
    private let recovery: TokenRecovery
    private let calls: CallWatch
    private let queue: BlockingQueue<SigningAttempt>
    private let configuration: HSMConfiguration
    /// Sessions that sign, as far as the token allows them.
    private let sessions: Int
    private let clock: AgentClock
    private let log: Logger
    /// The threads that are running and have not been given up.
    private let threads = InFlightCounter()
    /// Whether no thread is started any more.
    private let isClosing = Locked(false)
    /// Since when nobody has had a session while a call did not return, in nanoseconds of the monotonic clock.
    private let withoutSession = Locked(Int64?.none)
    private let ending: AsyncStream<HSMError>
    private let end: AsyncStream<HSMError>.Continuation

    private static let startHint = "check the token section of the configuration"

    /// Loads the module, logs in once and starts the threads.
    ///
    /// Must not run on the cooperative pool.
    /// - Throws: `HSMError`, with `.pinRefused` when the token did not take the PIN.
    init(
        _ configuration: HSMConfiguration, pin: PIN, pinIdentity: String, clock: AgentClock, log: Logger
    ) throws(HSMError) {
        self.pinIdentity = pinIdentity
        self.configuration = configuration
        self.clock = clock
        self.log = log
        let access: TokenAccess
        do throws(PKCS11Error) {
            access = try TokenAccess.start(configuration, pin: pin)
        } catch {
            throw HSMError(error, todo: Self.startHint)
        }
        self.access = access
        let status = HSMStatus(clock: clock)
        let queue = BlockingQueue<SigningAttempt>(limit: configuration.queueLimit)
        let calls = CallWatch(clock: clock)
        let (ending, end) = AsyncStream<HSMError>.makeStream()
        let priority = BackgroundPriority(clock: clock)
        recovery = TokenRecovery(
            access: access, status: status, calls: calls, configuration: configuration, clock: clock, log: log,
            changed: { trouble in
                if let trouble {
                    // A module that is to be initialised anew waits for what is under way in it.
                    priority.raise()
                    for waiting in queue.takeAll() { waiting.job.end(.failure(trouble)) }
                    queue.interrupt()
                } else {
                    queue.wake()
                }
            },
            end: { end.yield($0) })
        management = ManagementThread(
            access: access, status: status, recovery: recovery, priority: priority, configuration: configuration,
            clock: clock)
        self.priority = priority
        tokenManagement = TokenManagement(
            access: access, thread: management, recovery: recovery, status: status, rules: configuration.custody, clock: clock,
            log: log)
        custody = tokenManagement
        (self.status, self.queue, self.calls, self.ending, self.end) = (status, queue, calls, ending, end)
        sessions = try Self.sessions(configuration, access, log)
        try startManagement()
        for number in 1...sessions { startWorker(number) }
        startWatched("recover", replaced: { [weak self] in self?.giveUpRecovery() }) { [recovery] in recovery.run($0) }
        NamedThread.start("watch") { [weak self] in
            calls.run(every: min(max(configuration.callLimitSeconds / 8, 0.02), 1)) { self?.look() }
        }
    }

    /// One session of the token's is the management thread's, and one is for probing, if there are so many.
    private static func sessions(
        _ configuration: HSMConfiguration, _ access: TokenAccess, _ log: Logger
    ) throws(HSMError) -> Int {
        let wanted = max(configuration.sessions, 1)
        guard case .limited(let limit) = access.info.maximumSessions else { return wanted }
        guard limit >= 2 else {
            try? access.module.finalize()
            throw HSMError(
                .unavailable, "the token allows \(limit) session, and the agent needs 2: one to manage keys, one to sign",
                hint: "configure the token or its module for more sessions")
        }
        let allowed = Int(clamping: max(limit - 2, 1))
        if allowed < wanted {
            log.notice("the token allows fewer sessions than configured", metadata: ["signing.sessions": "\(allowed)"])
        }
        return min(wanted, allowed)
    }

    // MARK: - Threads

    private func startManagement() throws(HSMError) {
        let result = HandOver<PKCS11Error?>()
        startWatched("manage", replaced: { [weak self] in self?.replaceManagement() }) { [management] thread in
            management.run(thread) { result.put($0) }
        }
        if let failure = result.take() {
            try? access.module.finalize()
            throw HSMError(failure, todo: Self.startHint)
        }
    }

    private func replaceManagement() {
        replace("manage") {
            startWatched("manage", replaced: { [weak self] in self?.replaceManagement() }) { [management] in
                management.resume($0)
            }
        }
    }

    private func startWorker(_ number: Int) {
        startWatched("sign-\(number)", replaced: { [weak self] in self?.replaceWorker(number) }) {
            [access, queue, status, recovery, clock] thread in
            SigningWorker(
                access: access, queue: queue, status: status, recovery: recovery, calls: thread, clock: clock
            ).run()
        }
    }

    private func replaceWorker(_ number: Int) {
        replace("sign-\(number)") { startWorker(number) }
    }

    /// Nobody else could bring the token back.
    private func giveUpRecovery() {
        replace("recover") {}
        end.yield(.stuck(.unanswered))
    }

    /// A call has not returned in its time. Its thread is left to itself and another started, unless the agent is ending;
    /// when there are too many, the process has to end.
    private func replace(_ name: String, start: () -> Void) {
        if !isClosing.withLock({ $0 }) { start() }
        // After the other has been counted in, or nobody might seem to be left.
        threads.end()
        let stuck = calls.stuckCalls
        log.error("a call into the PKCS#11 module does not return", metadata: ["thread": "\(name)", "stuckCalls": "\(stuck)"])
        status.noteDisturbance(.unanswered)
        if stuck > sessions { end.yield(.stuck(.unanswered)) }
    }

    /// Starts a thread whose calls are watched; `replaced` is called when it is given up.
    private func startWatched(
        _ name: String, replaced: @escaping @Sendable () -> Void, _ body: @escaping @Sendable (WatchedThread) -> Void
    ) {
        let thread = WatchedThread(clock: clock, limitSeconds: configuration.callLimitSeconds) { [status] thread in
            // The session of a call that does not return signs no more.
            status.sessionClosed(by: thread)
            replaced()
        }
        calls.add(thread)
        threads.begin()
        NamedThread.start(name) { [threads, calls] in
            body(thread)
            calls.remove(thread)
            // One that was given up has been counted out by whoever gave it up.
            if thread.finish() { threads.end() }
        }
    }

    /// What is done now and then beside the calls: nobody waits in the queue longer than the deadline.
    private func look() {
        let now = clock.monotonic()
        let stuck = calls.stuckCalls
        status.setStuckCalls(stuck)
        endIfNobodySigns(now, stuck)
        management.boostOverdue(after: configuration.callLimitSeconds)
        let late = queue.take { now >= $0.deadline }
        guard !late.isEmpty else { return }
        let error = status.openSessions == 0 ? HSMError.noSessionLeft : .late
        for attempt in late { attempt.job.end(.failure(error)) }
    }

    /// A token with few sessions may have lost all of them to calls that do not return, so that nobody is left to get stuck.
    private func endIfNobodySigns(_ now: Int64, _ stuck: Int) {
        let isWithout = stuck > 0 && status.openSessions == 0 && status.trouble == nil
        let since = withoutSession.withLock { since in
            since = isWithout ? since ?? now : nil
            return since
        }
        guard let since, now - since > Int64(configuration.callLimitSeconds * 1_000_000_000) else { return }
        end.yield(.stuck(.noSessionLeft))
    }

    // MARK: - Use

    /// Why keys that nobody waits for are generated at the priority of signatures; `nil` when they are not.
    var priorityObstacle: PlatformError? { priority.obstacle }

    /// Queues a signature for its user; the job is ended once, from another thread or at once when it cannot be queued.
    ///
    /// Users take turns. Full is the queue only for one that has its share in it.
    func sign(_ job: any SigningJob) {
        if let trouble = status.trouble { return job.end(.failure(trouble)) }
        let deadline = clock.monotonic() + Int64(configuration.deadlineSeconds) * 1_000_000_000
        do throws(BlockingQueue<SigningAttempt>.Refusal) {
            try queue.push(SigningAttempt(job: job, deadline: deadline), of: job.uid)?.job.end(.failure(.displaced))
        } catch {
            switch error {
            case .full:
                job.end(
                    .failure(HSMError(.busy, "\(configuration.queueLimit) signatures are waiting", hint: "try again in a moment"))
                )
            case .closed:
                job.end(.failure(HSMError(.shuttingDown, "the agent is shutting down", hint: "try again after its restart")))
            }
        }
    }

    /// Has threads that have nothing to sign do something meanwhile. Another thread has to stand in.
    func lend(_ errand: Errand) {
        queue.lend(errand)
    }

    /// Does the errand when nobody who signs comes to it. Returns once it has been ended.
    func standIn() {
        queue.standIn()
    }

    /// What is being done on the errand just now, each with a number of its own.
    var errandsUnderWay: Set<Int> { queue.errandsUnderWay }

    /// No thread begins with the errand any more.
    func endErrand() {
        queue.endErrand()
    }

    /// The token's label and serial number, trimmed, as it was last found.
    var tokenInfo: (label: String, serial: String) {
        let info = access.info
        return (info.label, info.serialNumber)
    }

    /// Signs heads of the audit log with the deployment's audit key.
    func headSigner(deployment: String) -> TokenHeadSigner {
        TokenHeadSigner(tokenManagement, deployment: deployment)
    }

    /// How long the lines of work for keys are: what somebody waits for, keys to be made ahead, keys to be destroyed.
    var keyWork: [WorkClass: LineLength] { management.lineLengths }

    /// Signatures that wait.
    var queuedSignatures: Int { queue.count }
    /// The return value the token refused the PIN with, while the agent was running.
    var refusedPIN: ReturnValue? { access.refusedPIN }

    /// Whether the token has taken the PIN.
    var isPINProven: Bool { access.isPINProven }

    /// Tries another PIN; the one before was refused.
    func use(_ pin: PIN) {
        access.use(pin)
        recovery.unlatch()
    }

    /// Returns once the calls into the module have been looked after since this call, or when the task is cancelled.
    func heartbeat() async {
        await calls.beats.next()
    }

    /// Returns when the process has to end because calls into the module do not return; `nil` when the task was cancelled.
    func stuck() async -> HSMError? {
        for await error in ending { return error }
        return nil
    }

    /// Whether calls into the module have not returned: then its destructors must not run under them either.
    var hasStuckCalls: Bool { calls.stuckCalls > 0 }

    /// Whether the token refused the PIN, or a probe ended as if it had: nothing is tried before its source has changed.
    var isLatched: Bool { recovery.isLatched }

    /// As `shutdown()`.
    ///
    /// - Throws: `HSMError` with `.stuck` when a call into the module has not returned: the process has to end at once, since
    ///   the module's destructors must not run under it.
    func end() async throws {
        await shutdown()
        if hasStuckCalls { throw HSMError.stuck(.unanswered) }
    }

    /// Answers what is queued, ends the threads and finalises the module, unless a call in it has not returned.
    func shutdown() async {
        isClosing.withLock { $0 = true }
        queue.close()
        management.close()
        recovery.close()
        await threads.drained()
        calls.close()
        end.finish()
        // Threads that were given up may still be inside, or come out of their calls just now.
        if calls.stuckCalls == 0 { access.end() }
    }
}

/// One value, handed from one thread to another that waits for it.
// Sendable: `value` is written before the semaphore is signalled, and read after it was waited for.
private final class HandOver<Value: Sendable>: @unchecked Sendable {
    private let ready = Signal()
    private var value: Value?

    func put(_ value: Value) {
        self.value = value
        ready.send()
    }

    func take() -> Value {
        ready.wait()
        // `put` has run, or the semaphore would not have been signalled.
        return value!
    }
}
