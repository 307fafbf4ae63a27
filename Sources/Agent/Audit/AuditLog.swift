import KeyLifecycle
public import Logging
import Platform

/// The record of who had what done, in a file to which lines are only added, each with the SHA-256 of the one before.
///
/// Records that come at once are written together by the first thread that came, or by the last that gathers some; nobody
/// waits for a thread that waits for anything but the file.
public final class AuditLog: Sendable {
    /// When what happens by itself last happened, in nanoseconds of the monotonic clock.
    private struct Times {
        var synchronized: Int64
        var probed: Int64
        var signed: Int64
    }

    let configuration: AuditConfiguration
    let clock: AgentClock
    let log: Logger
    let open: @Sendable (String) throws -> any AuditFile
    /// Runs the answers to what was written together.
    let answering: @Sendable (() -> Void) -> Void
    let queue: Locked<AuditQueue>
    let heads = Locked(AuditHeads())
    let place = Locked(AuditPlace())
    let incidents: AuditIncidents
    private let times: Locked<Times>
    private let refusals = Locked(RefusalFold())
    private let budget: Locked<AuditBudget>
    private let executables = CallerExecutables()
    let keeper = AuditKeeper()
    let troubles = AuditTrouble()
    private let stall = Locked(AuditStall())
    /// Who waits for a record to be on the disk.
    private let waiting = Locked<(count: UInt64, answers: [UInt64: OneAnswer<Void>])>((0, [:]))

    /// Batches a thread writes for others before it leaves them to the log's own thread.
    static let longestService = 32
    /// Nanoseconds between attempts to write again.
    private static let probeInterval: Int64 = 1_000_000_000
    private static let second: Int64 = 1_000_000_000
    /// Seconds after which a head is tried again that could not be signed.
    private static let headRetry = 60

    /// Opens the log, making it where there is none, and goes on with the chain of its last record; in an empty file, with
    /// that of the file a rotation has left beside it.
    ///
    /// - Throws: `AuditError`: the file is not to be used, or does not end in a record.
    ///
    /// - Parameter answering: runs the answers to records that were written together.
    public convenience init(
        _ configuration: AuditConfiguration, clock: AgentClock, log: Logger,
        answering: @escaping @Sendable (() -> Void) -> Void = { $0() }
    ) throws {
        let open: @Sendable (String) throws -> any AuditFile = { path in
            let file = try AppendedFile(path: path, trusting: configuration.trusted)
            try FileTrust.checkPlace(of: path, "the audit log", trusting: configuration.trusted)
            return file
        }
        try self.init(configuration, clock: clock, log: log, open: open, answering: answering)
    }

    init(
        _ configuration: AuditConfiguration, clock: AgentClock, log: Logger,
        open: @escaping @Sendable (String) throws -> any AuditFile,
        answering: @escaping @Sendable (() -> Void) -> Void = { $0() }
    ) throws {
        self.configuration = configuration
        self.clock = clock
        self.log = log
        self.open = open
        self.answering = answering
        let (file, ownLast, cut) = try Self.opened(configuration.path, open)
        let last = ownLast ?? AuditTail.ofRotated(configuration.path)
        queue = Locked(AuditQueue(file, after: last))
        incidents = AuditIncidents(of: configuration.path, trusting: configuration.trusted)
        budget = Locked(AuditBudget(limit: configuration.limitPerUser))
        let now = clock.monotonic()
        times = Locked(Times(synchronized: now, probed: now, signed: now))
        if last == nil { submit(.start) }
        if cut > 0 { submit(.note(Self.note(ofCut: cut))) }
        if let trouble { throw trouble }
        keeper.start(
            synchronize: { [weak self] in self?.synchronize() },
            look: { [weak self] in self?.look() })
    }

    deinit {
        keeper.close {}
    }

    static func note(ofCut bytes: Int) -> String {
        "\(bytes) bytes of a record that was cut short were removed"
    }

    /// - Returns: the file, its own last record, and how many bytes of a record that was cut short have been taken off its end.
    static func opened(
        _ path: String, _ open: (String) throws -> any AuditFile
    ) throws(AuditError) -> (file: any AuditFile, last: AuditLink?, cut: Int) {
        do {
            let file = try open(path)
            let tail = try AuditTail(of: file, at: path)
            if tail.remains > 0 { try file.truncate(to: try file.size() - tail.remains) }
            return (file, tail.last, tail.remains)
        } catch let error as AuditError {
            throw error
        } catch let error as PlatformError {
            throw AuditError(.unusable, "the audit log cannot be used: \(error.message)", hint: error.hint)
        } catch {
            throw AuditError(.unusable, "the audit log \(path) cannot be used: \(error)", hint: "check the file")
        }
    }

    // MARK: - Recording

    /// Records a denial or a failure, or counts it.
    func writeOrCountRefusal(_ record: AuditRecord) {
        let now = clock.monotonic()
        let isOver = budget.withLock { $0.isOver(record.caller.uid, at: now) }
        let admitted = refusals.withLock { $0.admit(record, together: isOver, at: now) }
        if let record = admitted { submit(text(of: record)) }
    }

    /// Whether the user has had the log grow by no more than it may; a change, of which there cannot be many, may go on for as much
    /// again.
    func hasRoom(for uid: UInt32, changing isChange: Bool) -> Bool {
        !budget.withLock { $0.isOver(uid, at: clock.monotonic(), times: isChange ? 2 : 1) }
    }

    /// Why nothing can be recorded just now; costs next to nothing while it can.
    var trouble: AuditError? { troubles.current }

    /// The last record that was written; nil before the first.
    var last: AuditLink? { queue.withLock { $0.chain.last } }

    var fileInUse: any AuditFile { queue.withLock { $0.appender.file } }

    func begin(_ trouble: AuditError) {
        guard troubles.begin(trouble) else { return }
        times.withLock { [now = clock.monotonic()] in $0.probed = now }
        log.critical("what is done cannot be recorded", metadata: ["reason": "\(trouble)", "hint": "\(trouble.hint)"])
    }

    func text(of record: AuditRecord, count: Int? = nil) -> AuditText {
        let now = clock.monotonic()
        let text = AuditText(record, executable: executables.path(of: record.caller.pid, at: now), count: count)
        let isNewlyOver = budget.withLock { $0.charge(record.caller.uid, text.bytes.count + AuditChain.overhead, at: now) }
        if isNewlyOver {
            log.warning(
                "a user has had the audit log grow by its share: signatures and reading are refused to it for a while",
                metadata: ["uid": "\(record.caller.uid)", "hint": "give its access rule a rate, or raise audit.limitPerUser"])
        }
        return text
    }

    func durable(_ text: AuditText) async -> AuditError? {
        do {
            try await answered { [self] answer in
                keeper.perform { [self] in
                    submit(text) { [self] receipt in
                        if let error = receipt.error { return answer.give(.failure(error)) }
                        keeper.whenOnDisk { answer.give($0.map { .failure($0) } ?? .success(())) }
                    }
                }
            }
            return nil
        } catch {
            return error as? AuditError ?? .stalled
        }
    }

    /// Waits for the log's thread, or until it counts as held up.
    ///
    /// - Parameter begin: has the thread do something; returns whether it takes anything any more.
    /// - Throws: `AuditError`.
    func answered(_ begin: @Sendable (OneAnswer<Void>) -> Bool) async throws {
        var number: UInt64?
        defer { if let number { waiting.withLock { _ = $0.answers.removeValue(forKey: number) } } }
        try await withCheckedThrowingContinuation { continuation in
            let answer = OneAnswer<Void>(continuation)
            number = waiting.withLock { waiting in
                waiting.count += 1
                waiting.answers[waiting.count] = answer
                return waiting.count
            }
            if !begin(answer) { answer.give(.failure(AuditError.logClosed)) }
        }
    }

    /// Whether the disk still answers; to be called once a second. Whoever waits for one that does not is told so.
    func watchOver() {
        let round = keeper.round
        let (batches, isDue) = queue.withLock { ($0.batches, $0.isDue) }
        guard stall.withLock({ $0.look(AuditStall.Progress(round: round, batches: batches), isDue: isDue) }) else { return }
        begin(.stalled)
        let (answers, records) = (waiting.withLock { Array($0.answers.values) }, queue.withLock { $0.takePendingRecords() })
        troubles.lose(records.count)
        for answer in answers { answer.give(.failure(AuditError.stalled)) }
        answer(records, .stalled)
    }

    /// Returns once the log's thread has come round by itself since the call, or when the task is cancelled. Never while it, or
    /// the disk it waits for, hangs.
    func heartbeat() async {
        await keeper.beats.next()
    }

    // MARK: - On the log's thread

    /// Brings to the disk what has been written.
    private func synchronize() -> AuditError? {
        let now = clock.monotonic()
        times.withLock { $0.synchronized = now }
        let files = queue.withLock { $0.takeDirty() }
        do throws(PlatformError) {
            for file in files { try file.synchronize() }
            queue.withLock { $0.synchronized(files) }
            return nil
        } catch {
            let trouble = AuditError(
                .notWritten, "the audit log cannot be brought to the disk: \(error.message)", hint: "have the disk examined")
            queue.withLock { $0.notSynchronized() }
            begin(trouble)
            return trouble
        }
    }

    /// Does what time has made due; the log's thread calls it by itself.
    func look() {
        let now = clock.monotonic()
        for folded in refusals.withLock({ $0.due(at: now) }) { submit(text(of: folded.record, count: folded.count)) }
        watchPlace()
        // In a file that nobody will find, a record that is written ends nothing.
        let isTroubled = trouble != nil && !place.withLock { $0.isLost }
        let signEvery = configuration.headInterval.map { headTrouble == nil ? $0 : min($0, Self.headRetry) }
        let isUnsigned = hasUnsignedRecords
        let due = times.withLock { times in
            let due = (
                synchronize: now - times.synchronized >= Int64(configuration.fsyncInterval) * Self.second,
                probe: isTroubled && now - times.probed >= Self.probeInterval,
                // After a quiet time the first record is signed at once: no record is younger than the last head by more than
                // the interval, which is what verification goes by.
                sign: isUnsigned && (signEvery.map { now - times.signed >= Int64($0) * Self.second } ?? false)
            )
            if due.probe { times.probed = now }
            if due.sign { times.signed = now }
            return due
        }
        if due.probe { probe() }
        if due.synchronize { _ = synchronize() }
        if due.sign { signHeadSoon() }
    }

    /// Writes a record that says what happened; when it is on the disk, the trouble is over.
    private func probe() {
        submit(.note(troubles.account)) { [self] receipt in
            guard receipt.error == nil else { return }
            keeper.whenOnDisk { [self] error in
                guard error == nil else { return }
                troubles.end()
                log.notice("the audit log is written again")
            }
        }
    }

    // MARK: - End

    /// Writes what has been counted, brings everything to the disk and takes no more.
    func close() async {
        await heads.withLock { $0.signing }?.value
        let now = clock.monotonic()
        for folded in refusals.withLock({ $0.due(at: now, all: true) }) {
            _ = await durable(text(of: folded.record, count: folded.count))
        }
        await withCheckedContinuation { continuation in
            keeper.close { continuation.resume() }
        }
        queue.withLock { $0.close() }
        // Who began to write before is let finish: the file is another's from then on.
        while queue.withLock({ !$0.isAtRest }) { try? await Task.sleep(for: .milliseconds(5)) }
        _ = synchronize()
        queue.withLock { $0.letGo() }
    }
}
