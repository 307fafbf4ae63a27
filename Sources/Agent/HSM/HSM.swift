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
    /// Makes, reads and destroys keys.
    let custody: TokenManagement
    let status: HSMStatus
    let access: TokenAccess
    /// Until when signatures may be made and handed over.
    let fence: SigningFence
    private let management: ManagementLine
    private let priority: BackgroundPriority
    private let recovery: TokenRecovery
    private let supervisor: ThreadSupervisor
    private let crew: Crew<SigningAttempt>
    private let configuration: HSMConfiguration
    private let clock: AgentClock
    /// Since when no worker has had a session while a call did not return, in nanoseconds of the monotonic clock.
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
        fence = SigningFence(isShared: configuration.isStoreShared)
        self.configuration = configuration
        self.clock = clock
        let access: TokenAccess
        do throws(PKCS11Error) {
            access = try TokenAccess.start(configuration, pin: pin)
        } catch {
            throw HSMError(error, todo: Self.startHint)
        }
        let sessions = try Self.sessions(configuration, access, log)
        let status = HSMStatus(clock: clock)
        let crew = Crew<SigningAttempt>(limit: configuration.queueLimit)
        let (ending, end) = AsyncStream<HSMError>.makeStream()
        let supervisor = ThreadSupervisor(
            clock: clock, limitSeconds: configuration.callLimitSeconds,
            // The session of a call that does not return signs no more.
            withdrawn: { status.sessionClosed(by: $0) }
        ) { givenUp in
            log.error(
                "a call into the PKCS#11 module does not return",
                metadata: ["thread": "\(givenUp.name)", "stuckCalls": "\(givenUp.stuckCalls)"])
            status.noteDisturbance(.unanswered)
            // The process ends when there are too many, or none other could bring the token back.
            if givenUp.stuckCalls > sessions || !givenUp.isReplaced { end.yield(.stuck(.unanswered)) }
        }
        let priority = BackgroundPriority(clock: clock)
        recovery = TokenRecovery(
            access: access, status: status, supervisor: supervisor, configuration: configuration, clock: clock, log: log,
            changed: { trouble in
                if let trouble {
                    // A module that is to be initialised anew waits for what is under way in it.
                    priority.raise()
                    for waiting in crew.takeAll() { waiting.job.end(.failure(trouble)) }
                    crew.interrupt()
                } else {
                    crew.pauses.wake()
                }
            },
            end: { end.yield($0) })
        management = ManagementLine(priority: priority, clock: clock)
        custody = TokenManagement(
            access: access, line: management, recovery: recovery, status: status, rules: configuration.custody, clock: clock,
            log: log)
        (self.access, self.status, self.crew, self.supervisor) = (access, status, crew, supervisor)
        (self.priority, self.ending, self.end) = (priority, ending, end)
        try startManagement()
        for number in 1...sessions { startWorker(number) }
        supervisor.start("recover", { [recovery] in recovery.run($0) }, replacedBy: nil)
        supervisor.watch { [weak self] in self?.look() }
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
        let thread = ManagementThread(
            access: access, status: status, recovery: recovery, line: management,
            changeLimitSeconds: configuration.changeLimitSeconds)
        let result = HandOver<PKCS11Error?>()
        supervisor.start("manage", { thread.run($0) { result.put($0) } }, replacedBy: { thread.resume($0) })
        if let failure = result.take() {
            try? access.module.finalize()
            throw HSMError(failure, todo: Self.startHint)
        }
    }

    private func startWorker(_ number: Int) {
        let work: @Sendable (WatchedThread) -> Void = { [access, crew, status, recovery, clock] thread in
            SigningWorker(
                access: access, crew: crew, status: status, recovery: recovery, calls: thread, clock: clock
            ).run()
        }
        supervisor.start("sign-\(number)", work, replacedBy: work)
    }

    /// What is done now and then beside the watch over calls: no request waits in the queue longer than the deadline.
    private func look() {
        let now = clock.monotonic()
        let stuck = supervisor.stuckCalls
        status.setStuckCalls(stuck)
        endIfNobodySigns(now, stuck)
        management.boostOverdue(after: configuration.callLimitSeconds)
        let late = crew.take { now >= $0.deadline }
        guard !late.isEmpty else { return }
        let error = status.openSessions == 0 ? HSMError.noSessionLeft : .late
        for attempt in late { attempt.job.end(.failure(error)) }
    }

    /// A token with few sessions may have lost all of them to calls that do not return, so that no thread is left to get stuck.
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

    /// Why keys are generated at the priority of signatures in the background; `nil` when they are not.
    var priorityObstacle: PlatformError? { priority.obstacle }

    /// Queues a signature for its user; the job is ended once, from another thread or at once when it cannot be queued.
    ///
    /// Users take turns. Full is the queue only for one that has its share in it.
    func sign(_ job: any SigningJob) {
        if let trouble = status.trouble { return job.end(.failure(trouble)) }
        let deadline = clock.monotonic() + Int64(configuration.deadlineSeconds) * 1_000_000_000
        do throws(Crew<SigningAttempt>.Refusal) {
            try crew.push(SigningAttempt(job: job, deadline: deadline), of: job.uid)?.job.end(.failure(.displaced))
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

    /// The threads that sign, which can poll something while they have nothing to sign.
    var idleWorkers: any IdleWorkers { crew }

    /// The token's label and serial number, trimmed, as it was last found.
    var tokenInfo: (label: String, serial: String) {
        let info = access.info
        return (info.label, info.serialNumber)
    }

    /// Signs heads of the audit log with the deployment's audit key, or with that of one of its agents.
    func headSigner(deployment: String, agent: String? = nil) -> TokenHeadSigner {
        TokenHeadSigner(custody, deployment: deployment, agent: agent)
    }

    /// The audit keys of a deployment, its agents' among them.
    func auditPublicKeys(of deployment: String) async throws -> [AuditPublicKey] {
        try await custody.auditPublicKeys(of: deployment)
    }

    /// Whether destroying a key stops a process that has used it; `nil` where that was not tried with this token.
    var destroyedKeysStop: Bool? { configuration.fenceTest?.stops(on: tokenInfo) }

    /// Seals records of the deployment that lie where others can write.
    func recordSealer(deployment: String) -> TokenRecordSealer {
        TokenRecordSealer(custody, deployment: deployment)
    }

    /// How long the lines of work for keys are: what is awaited, keys to be made ahead, keys to be destroyed.
    var keyWork: [WorkClass: LineLength] { management.lengths }

    /// Signatures that wait.
    var queuedSignatures: Int { crew.count }
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
        await supervisor.heartbeat()
    }

    /// Returns when the process has to end because calls into the module do not return; `nil` when the task was cancelled.
    func stuck() async -> HSMError? {
        for await error in ending { return error }
        return nil
    }

    /// Whether calls into the module have not returned: then its destructors must not run under them either.
    var hasStuckCalls: Bool { supervisor.stuckCalls > 0 }

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
        supervisor.beginEnding()
        crew.close()
        management.close()
        recovery.close()
        await supervisor.ended()
        end.finish()
        // Threads that were given up may still be inside, or come out of their calls just now.
        if supervisor.stuckCalls == 0 { access.end() }
    }
}
