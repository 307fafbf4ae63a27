public import Logging
public import Platform

/// Where the audit log is, and how often what happens to it by itself happens.
public struct AuditConfiguration: Hashable, Sendable {
    public var path: String
    /// Seconds after which a signature's record is on the disk at the latest.
    public var fsyncInterval: Int
    /// Seconds between two signatures of the head; `nil` when it is not signed, for a token that cannot have the key.
    public var headInterval: Int?
    /// Bytes by which what one user has done may make the log grow in a day; `nil` without a bound.
    public var limitPerUser: Int?
    /// Directories in which others could put files by their mode, and do not.
    public var trusted = TrustedDirectories.none

    /// A day's share of one user: some two million signatures.
    public static let usualLimitPerUser = 1 << 30

    public init(
        path: String, fsyncInterval: Int = 1, headInterval: Int? = 3_600,
        limitPerUser: Int? = AuditConfiguration.usualLimitPerUser
    ) {
        self.limitPerUser = limitPerUser
        self.path = path
        self.fsyncInterval = fsyncInterval
        self.headInterval = headInterval
    }
}

/// The record of who had what done, in a file to which lines are only added, each with the SHA-256 of the one before.
///
/// Its parts have a lock each, which says there what it guards. None is held while another one is taken, nor while a file, the
/// token or a caller may be waited for: what a lock guards is changed, or read, and let go.
public final class AuditLog: Sendable {
    let clock: AgentClock
    let writer: AuditWriter
    let health: AuditHealth
    let place: AuditPlace
    let heads: AuditHeads
    let incidents: AuditIncidents
    /// The record that the log ended in when it was opened; `nil` for one that began then.
    let openedAfter: AuditLink?
    /// What each user has had the log grow by, and the refusals that are only counted.
    private let growth: Locked<AuditGrowth>
    private let executables = CallerExecutables()
    private let keeper = AuditKeeper()
    private let configuration: AuditConfiguration
    private let log: Logger

    private static let second: Int64 = 1_000_000_000

    /// Opens the log, making it where there is none, and goes on with the chain of its last record; in an empty file, with
    /// that of the file a rotation has left beside it.
    ///
    /// - Throws: `AuditError`: the file is not to be used, or does not end in a record.
    ///
    /// - Parameter sendingRepliesTogether: does what lets replies go, and sends those of one caller at once.
    public convenience init(
        _ configuration: AuditConfiguration, clock: AgentClock, log: Logger,
        sendingRepliesTogether: @escaping @Sendable (() -> Void) -> Void = { $0() }
    ) throws {
        let open: @Sendable (String) throws -> any AuditFile = { path in
            let file = try AppendedFile(path: path, trusting: configuration.trusted)
            try FileTrust.checkPlace(of: path, "the audit log", trusting: configuration.trusted)
            return file
        }
        try self.init(configuration, clock: clock, log: log, open: open, sendingRepliesTogether: sendingRepliesTogether)
    }

    init(
        _ configuration: AuditConfiguration, clock: AgentClock, log: Logger,
        open: @escaping @Sendable (String) throws -> any AuditFile,
        sendingRepliesTogether: @escaping @Sendable (() -> Void) -> Void = { $0() }
    ) throws {
        self.configuration = configuration
        self.clock = clock
        self.log = log
        let path = configuration.path
        let (file, ownLast, cut) = try AuditPlace.opened(path, open)
        let last = ownLast ?? AuditTail.ofRotated(path)
        openedAfter = last
        growth = Locked(AuditGrowth(limit: configuration.limitPerUser))
        health = AuditHealth(clock: clock, log: log)
        incidents = AuditIncidents(of: path, trusting: configuration.trusted, log: log)
        writer = AuditWriter(
            file, after: last, health, incidents, keeper, clock: clock, sendingRepliesTogether: sendingRepliesTogether)
        place = AuditPlace(path, open: open, writer, health, incidents, keeper, clock: clock, log: log)
        heads = AuditHeads(every: configuration.headInterval, writer, clock: clock, log: log)
        if last == nil { writer.submit(.start) }
        if cut > 0 { writer.submit(.note(AuditPlace.note(ofCut: cut))) }
        if let trouble { throw trouble }
        keeper.start(
            synchronize: { [weak self] in self?.writer.synchronize() },
            doWhatIsDue: { [weak self] in self?.doWhatIsDue() })
    }

    deinit {
        keeper.close {}
    }

    /// Why nothing can be recorded just now; costs next to nothing while it can.
    var trouble: AuditError? { health.trouble }

    // MARK: - Records of requests; the ways to one stand with the receipt

    /// Does something from which many records come, and writes them together.
    func gathering(_ work: () -> Void) {
        writer.gathering(work)
    }

    /// Whether the user has had the log grow by no more than it may; a change may go on for as much again.
    func hasRoom(for uid: UInt32, changing isChange: Bool) -> Bool {
        growth.withLock { [now = clock.monotonic()] in $0.hasRoom(for: uid, changing: isChange, at: now) }
    }

    func text(of record: AuditRecord, count: Int? = nil) -> AuditText {
        let now = clock.monotonic()
        let text = AuditText(record, executable: executables.path(of: record.caller.pid, at: now), count: count)
        let isNewlyOver = growth.withLock { $0.charge(record.caller.uid, text.bytes.count + AuditChain.overhead, at: now) }
        if isNewlyOver {
            log.warning(
                "a user has had the audit log grow by its share: signatures and reading are refused to it for a while",
                metadata: ["uid": "\(record.caller.uid)", "hint": "give its access rule a rate, or raise audit.limitPerUser"])
        }
        return text
    }

    func writeOrCount(refusal record: AuditRecord) {
        let now = clock.monotonic()
        if let record = growth.withLock({ $0.admitRefusal(record, at: now) }) { writer.submit(text(of: record)) }
    }

    // MARK: - What the agent does by itself

    /// Records it, and returns once that is on the disk.
    ///
    /// - Throws: `AuditError`: it must not be done then.
    func recordOnDisk(note: String) async throws {
        if let trouble { throw trouble }
        if let error = await writer.writeToDisk(.note(note)) { throw error }
    }

    /// Records it, if that can be, and has the head signed after it.
    func record(note: String) {
        writer.submit(.note(note))
        signHeadSoon()
    }

    // MARK: - Among the logs of a fleet

    /// Has the log say whose it is.
    func entitle(agent: String, deployment: String) {
        place.entitle(.agent(agent, deployment: deployment))
    }

    /// Records what is about to be done to a store that several agents share, and returns once that is on the disk.
    ///
    /// - Throws: `AuditError`: it must not be done then.
    func recordOnDisk(_ change: AuditChange) async throws {
        if let trouble { throw trouble }
        if let error = await writer.writeToDisk(.change(change)) { throw error }
    }

    /// Records what has come of it.
    func record(_ change: AuditChange) {
        writer.submit(.change(change))
    }

    /// Something is wrong with a log of the fleet: records it, and keeps it for `health` until an operator has taken note of it.
    func report(_ line: String) {
        if incidents.report(line, "an audit log of the fleet is not what it was") { writer.submit(.note(line)) }
    }

    /// An operator has taken note of what was done to the file; that is recorded.
    func acknowledgeIncidents() {
        let count = incidents.acknowledge()
        if count > 0 {
            writer.submit(.note("an operator has taken note of what was done to the file: \(count) in all"))
        }
    }

    /// Goes on in the file that is at the path now, for a rotation that has moved the one before. The chain goes on too.
    ///
    /// - Throws: `AuditError`; then the log goes on in the file it had.
    func reopen() async throws {
        try await place.reopen()
    }

    // MARK: - Heads

    /// Why the head was not signed the last time it was due.
    var headTrouble: AuditError? { heads.trouble }

    /// Whether heads are to be signed, and there is no signer.
    var lacksSigner: Bool { heads.lacksSigner }

    /// Has heads signed from now on.
    func signHeads(with signer: any HeadSigner) {
        heads.use(signer)
    }

    /// Signs the last record and records that. Returns when it is done, and does nothing while there is no new record.
    func signHead() async {
        await heads.signLast()
    }

    /// As `signHead()`, without waiting for it.
    func signHeadSoon() {
        Task { await signHead() }
    }

    // MARK: - Time

    /// Whether the disk still answers; to be called once a second. Callers that wait for one that does not are told so.
    func watchDisk() {
        let round = keeper.round
        let (batches, isDue) = writer.progress
        guard health.isStalled(AuditStall.Progress(round: round, batches: batches), isDue: isDue) else { return }
        health.report(.stalled)
        keeper.giveUpCallers(.stalled)
        writer.giveUpPending(.stalled)
    }

    /// Returns once the log's thread has come round by itself since the call, or when the task is cancelled. Never while it, or
    /// the disk it waits for, hangs.
    func heartbeat() async {
        await keeper.beats.next()
    }

    /// Does what time has made due; the log's thread calls it by itself.
    func doWhatIsDue() {
        let now = clock.monotonic()
        writeCounted(at: now)
        place.check()
        try? incidents.save()
        // In a file that has no name, a record that is written ends nothing.
        if !writer.isFileLost, health.takeProbe(at: now) { probe() }
        if writer.isSynchronizationDue(at: now, every: Int64(configuration.fsyncInterval) * Self.second) { writer.synchronize() }
        if heads.takeDue(at: now) { signHeadSoon() }
    }

    private func writeCounted(at now: Int64) {
        for folded in growth.withLock({ $0.takeCounted(at: now) }) { writer.submit(text(of: folded.record, count: folded.count)) }
    }

    /// Writes a record that says what happened; when it is on the disk, the trouble is over.
    private func probe() {
        writer.submit(.note(health.account)) { [self] receipt in
            guard receipt.error == nil else { return }
            keeper.whenOnDisk { [self] error in
                if error == nil { health.endTrouble() }
            }
        }
    }

    // MARK: - End

    /// Writes what has been counted, brings everything to the disk and takes no more.
    func close() async {
        await heads.settled()
        let now = clock.monotonic()
        for folded in growth.withLock({ $0.takeCounted(at: now, all: true) }) {
            _ = await writer.writeToDisk(text(of: folded.record, count: folded.count))
        }
        await withCheckedContinuation { continuation in
            keeper.close { continuation.resume() }
        }
        await writer.close()
    }
}
