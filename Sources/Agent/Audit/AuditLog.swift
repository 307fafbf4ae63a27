import KeyLifecycle
public import Logging
import Platform
import Synchronization

/// The record of who had what done, in a file to which lines are only added, each with the SHA-256 of the one before.
///
/// Records that come at once are written together by the first thread that came, or by the last that gathers some; nobody
/// waits for a thread that waits for anything but the file.
public final class AuditLog: Sendable {
    private enum Item: Sendable {
        case record(AuditText, written: @Sendable (AuditError?) -> Void)
        /// What comes after goes to another file.
        case file(any AuditFile, switched: @Sendable () -> Void)
    }

    private struct State {
        var pending: [Item] = []
        /// Whether a thread is writing; it alone uses `appender` and `chain` then.
        var isWriting = false
        /// How many threads gather records, which are written when the last of them is done.
        var gathering = 0
        /// Counts the batches that a thread has begun to write.
        var batches: UInt64 = 0
        var appender: AuditAppender
        var chain: AuditChain
        /// Whether anything has been written since the last fsync.
        var isDirty = false
        /// Files of before a rotation, not yet brought to the disk for the last time.
        var former: [any AuditFile] = []
        var trouble: AuditError?
        /// Records that could not be written since trouble began.
        var lost = 0
        var isClosed = false

        /// Whether the calling thread is to write what is pending.
        mutating func becomeWriter() -> Bool {
            guard !isWriting, gathering == 0, !pending.isEmpty else { return false }
            isWriting = true
            return true
        }
    }

    /// When what happens by itself last happened, in nanoseconds of the monotonic clock.
    private struct Times {
        var synchronized: Int64
        var probed: Int64
        var signed: Int64
        /// Whether an attempt to write again is under way: a slow disk is not given another each second.
        var isProbing = false
    }

    let configuration: AuditConfiguration
    let clock: AgentClock
    let log: Logger
    private let open: @Sendable (String) throws -> any AuditFile
    /// Runs the answers to what was written together.
    private let answering: @Sendable (() -> Void) -> Void
    private let state: Locked<State>
    let heads = Locked(AuditHeads())
    private let times: Locked<Times>
    private let refusals = Locked(RefusalFold())
    private let executables = CallerExecutables()
    private let keeper = AuditKeeper()
    /// Who waits for a record to be on the disk.
    private let waiting = Locked<(count: UInt64, answers: [UInt64: OneAnswer<Void>])>((0, [:]))
    /// The last progress that was seen, and how often it was seen in a row.
    private let watched = Locked<(progress: Progress, times: Int)>((Progress(), 0))

    /// How far those have come who can be held up by the disk.
    private struct Progress: Equatable {
        var round: UInt64 = 0
        var batches: UInt64 = 0
    }

    /// Whether there is trouble, so that a request need not take the lock to learn that there is none.
    private let hasTrouble = Atomic(false)

    /// Batches a thread writes for others before it leaves them to the log's own thread.
    private static let longestService = 32
    /// Nanoseconds between attempts to write again.
    private static let probeInterval: Int64 = 1_000_000_000
    private static let second: Int64 = 1_000_000_000
    /// Seconds after which a head is tried again that could not be signed.
    private static let headRetry = 60
    /// Looks that find the log's thread where it was, a second apart, before the disk counts as gone.
    private static let mostStalled = 10

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
            let file = try AppendedFile(path: path)
            try FileTrust.checkPlace(of: path, "the audit log")
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
        let (file, last, cut) = try Self.opened(configuration.path, open)
        state = Locked(State(appender: AuditAppender(file), chain: AuditChain(after: last)))
        let now = clock.monotonic()
        times = Locked(Times(synchronized: now, probed: now, signed: now))
        if last == nil { submit(.start) }
        if cut > 0 { submit(Self.note(ofCut: cut)) }
        if let trouble { throw trouble }
        keeper.start(
            synchronize: { [weak self] in self?.synchronize() },
            look: { [weak self] in self?.look() })
    }

    deinit {
        keeper.close {}
    }

    private static func note(ofCut bytes: Int) -> AuditText {
        .note("\(bytes) bytes of a record that was cut short were removed")
    }

    private static func opened(
        _ path: String, _ open: (String) throws -> any AuditFile
    ) throws(AuditError) -> (file: any AuditFile, last: AuditLink?, cut: Int) {
        do {
            let file = try open(path)
            let tail = try AuditTail(of: file, at: path)
            if tail.remains > 0 { try file.truncate(to: try file.size() - tail.remains) }
            return (file, tail.last ?? AuditTail.ofRotated(path), tail.remains)
        } catch let error as AuditError {
            throw error
        } catch let error as PlatformError {
            throw AuditError(.unusable, "the audit log cannot be used: \(error.message)", hint: error.hint)
        } catch {
            throw AuditError(.unusable, "the audit log \(path) cannot be used: \(error)", hint: "check the file")
        }
    }

    // MARK: - Recording

    /// Writes a record, at once or with others that come meanwhile, and calls `written` once: with the reason when it could
    /// not be written. Waits for no disk.
    func record(_ record: AuditRecord, written: @escaping @Sendable (AuditError?) -> Void) {
        submit(text(of: record), written)
    }

    /// The record of a change before it: on the disk when this returns.
    ///
    /// - Throws: `AuditError`. The change must not be made then.
    func attempt(_ record: AuditRecord) async throws {
        if let error = await durable(text(of: record)) { throw error }
    }

    /// The record of a change after it; on the disk when this returns `nil`.
    func outcome(_ record: AuditRecord) async -> AuditError? {
        await durable(text(of: record))
    }

    /// Records a denial or a failure; what is like one of the last ten seconds is counted into one record.
    func refused(_ record: AuditRecord) {
        let now = clock.monotonic()
        if let record = refusals.withLock({ $0.admit(record, at: now) }) { submit(text(of: record)) }
    }

    /// Why nothing can be recorded just now; costs next to nothing while it can.
    var trouble: AuditError? {
        guard hasTrouble.load(ordering: .acquiring) else { return nil }
        return state.withLock { $0.trouble }
    }

    /// The last record that was written; nil before the first.
    var last: AuditLink? { state.withLock { $0.chain.last } }

    private func text(of record: AuditRecord, count: Int? = nil) -> AuditText {
        AuditText(
            record, executable: executables.path(of: record.caller.pid, at: clock.monotonic()), count: count)
    }

    func durable(_ text: AuditText) async -> AuditError? {
        do {
            try await answered { [self] answer in
                keeper.perform { [self] in
                    submit(text) { [self] error in
                        if let error { return answer.give(.failure(error)) }
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
    private func answered(_ begin: @Sendable (OneAnswer<Void>) -> Bool) async throws {
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
        let (batches, isDue) = state.withLock { ($0.batches, $0.isWriting || !$0.pending.isEmpty) }
        let isStalled = watched.withLock { watched in
            let before = watched.progress
            watched.progress = Progress(round: round, batches: batches)
            let isHeldUp = before.round == round || (isDue && before.batches == batches)
            watched.times = isHeldUp ? watched.times + 1 : 0
            return watched.times >= Self.mostStalled
        }
        guard isStalled else { return }
        begin(.stalled)
        let (answers, records) = (waiting.withLock { Array($0.answers.values) }, takePendingRecords())
        for answer in answers { answer.give(.failure(AuditError.stalled)) }
        for written in records { written(.stalled) }
    }

    /// Records that nobody has begun to write, to be answered: they will not be written.
    private func takePendingRecords() -> [@Sendable (AuditError?) -> Void] {
        state.withLock { state in
            var taken: [@Sendable (AuditError?) -> Void] = []
            state.pending.removeAll { item in
                guard case .record(_, let written) = item else { return false }
                taken.append(written)
                return true
            }
            state.lost += taken.count
            return taken
        }
    }

    // MARK: - Writing

    func submit(_ text: AuditText, _ written: @escaping @Sendable (AuditError?) -> Void = { _ in }) {
        submit(.record(text, written: written))
    }

    /// Does something from which many records come, and writes them together.
    func gathering(_ work: () -> Void) {
        state.withLock { $0.gathering += 1 }
        work()
        let isWriter = state.withLock { state in
            state.gathering -= 1
            return state.becomeWriter()
        }
        if isWriter { writePending(batches: Self.longestService) }
    }

    private func submit(_ item: Item) {
        let isWriter = state.withLock { state in
            state.pending.append(item)
            return state.becomeWriter()
        }
        if isWriter { writePending(batches: Self.longestService) }
    }

    /// Writes what is pending, as the one thread that writes.
    private func writePending(batches: Int) {
        var left = batches
        while true {
            let isLast = left == 0
            let next = state.withLock { state -> (items: [Item], appender: AuditAppender, chain: AuditChain, isClosed: Bool)? in
                guard !state.pending.isEmpty else {
                    state.isWriting = false
                    return nil
                }
                guard !isLast else { return ([], state.appender, state.chain, state.isClosed) }
                defer { state.pending = [] }
                state.batches += 1
                return (state.pending, state.appender, state.chain, state.isClosed)
            }
            guard let next else { return }
            if isLast {
                // Nobody's request is to serve everybody else's. The role of the writer goes to the log's thread.
                if keeper.perform({ [self] in writePending(batches: Self.longestService) }) { return }
                left = .max
                continue
            }
            left -= 1
            write(next.items, next.appender, next.chain, isClosed: next.isClosed)
        }
    }

    private func write(_ items: [Item], _ appender: AuditAppender, _ chain: AuditChain, isClosed: Bool) {
        var (appender, chain) = (appender, chain)
        var rest = items[...]
        while let first = rest.first {
            if case .file(let file, let switched) = first {
                state.withLock { state in
                    state.former.append(state.appender.file)
                    state.appender = AuditAppender(file)
                }
                appender = AuditAppender(file)
                rest.removeFirst()
                switched()
                continue
            }
            var answers: [@Sendable (AuditError?) -> Void] = []
            var batch: [UInt8] = []
            batch.reserveCapacity(768 * rest.count)
            let time = clock.wallMilliseconds()
            var longer = chain
            while case .record(let text, let written) = rest.first {
                longer.append(text, atMilliseconds: time, to: &batch)
                answers.append(written)
                rest.removeFirst()
            }
            let error = isClosed ? AuditError.logClosed : append(batch, longer, records: answers.count, to: &appender)
            if error == nil { chain = longer }
            answering { for answer in answers { answer(error) } }
        }
    }

    /// Appends a batch, and makes `chain` that of the log.
    private func append(
        _ batch: [UInt8], _ chain: AuditChain, records: Int, to appender: inout AuditAppender
    ) -> AuditError? {
        do throws(PlatformError) {
            try appender.append(batch)
            state.withLock { [appender] state in
                state.appender = appender
                state.chain = chain
                state.isDirty = true
            }
            return nil
        } catch {
            let trouble = AuditError(
                .notWritten, "the audit log cannot be written: \(error.message)",
                hint: "make room on the disk, or correct what keeps the file from being written")
            state.withLock { [appender] state in
                state.appender = appender
                state.lost += records
            }
            begin(trouble)
            return trouble
        }
    }

    private func begin(_ trouble: AuditError) {
        let isNew = state.withLock { state in
            defer { state.trouble = trouble }
            hasTrouble.store(true, ordering: .releasing)
            return state.trouble == nil
        }
        guard isNew else { return }
        times.withLock { [now = clock.monotonic()] in $0.probed = now }
        log.critical("what is done cannot be recorded", metadata: ["reason": "\(trouble)", "hint": "\(trouble.hint)"])
    }

    private func endTrouble() {
        state.withLock { state in
            state.trouble = nil
            state.lost = 0
            hasTrouble.store(false, ordering: .releasing)
        }
        log.notice("the audit log is written again")
    }

    // MARK: - On the log's thread

    /// Brings to the disk what has been written.
    private func synchronize() -> AuditError? {
        let now = clock.monotonic()
        times.withLock { $0.synchronized = now }
        let (files, wasDirty) = state.withLock { state in
            let files = state.former + [state.appender.file]
            defer { state.isDirty = false }
            return (files, state.isDirty || !state.former.isEmpty)
        }
        guard wasDirty else { return nil }
        do throws(PlatformError) {
            for file in files { try file.synchronize() }
            let done = Set(files.dropLast().map(\.identity))
            state.withLock { state in state.former.removeAll { done.contains($0.identity) } }
            return nil
        } catch {
            let trouble = AuditError(
                .notWritten, "the audit log cannot be brought to the disk: \(error.message)", hint: "have the disk examined")
            state.withLock { $0.isDirty = true }
            begin(trouble)
            return trouble
        }
    }

    /// Does what time has made due; the log's thread calls it by itself.
    func look() {
        let now = clock.monotonic()
        for folded in refusals.withLock({ $0.due(at: now) }) { submit(text(of: folded.record, count: folded.count)) }
        let isTroubled = trouble != nil
        let signEvery = configuration.headInterval.map { headTrouble == nil ? $0 : min($0, Self.headRetry) }
        let due = times.withLock { times in
            let due = (
                synchronize: now - times.synchronized >= Int64(configuration.fsyncInterval) * Self.second,
                probe: isTroubled && !times.isProbing && now - times.probed >= Self.probeInterval,
                sign: signEvery.map { now - times.signed >= Int64($0) * Self.second } ?? false
            )
            if due.probe {
                times.probed = now
                times.isProbing = true
            }
            if due.sign { times.signed = now }
            return due
        }
        if due.probe { probe() }
        if due.synchronize { _ = synchronize() }
        if due.sign { signHeadSoon() }
    }

    /// Writes a record that says what happened; when it is on the disk, the trouble is over.
    private func probe() {
        let (reason, lost) = state.withLock { ($0.trouble?.message ?? "", $0.lost) }
        submit(.note("\(lost) records were refused; \(reason)")) { [self] error in
            guard error == nil else { return times.withLock { $0.isProbing = false } }
            keeper.whenOnDisk { [self] error in
                if error == nil { endTrouble() }
                times.withLock { $0.isProbing = false }
            }
        }
    }

    // MARK: - Rotation of the file

    /// Goes on in the file that is at the path now, for a rotation that has moved the one before. The chain goes on too.
    ///
    /// - Throws: `AuditError`; then the log goes on in the file it had.
    func reopen() async throws {
        try await answered { [self] answer in
            keeper.perform { [self] in
                do {
                    guard let (file, cut) = try newFile() else { return answer.give(.success(())) }
                    submit(.file(file, switched: { answer.give(.success(())) }))
                    if cut > 0 { submit(Self.note(ofCut: cut)) }
                    log.info("the audit log goes on in another file", metadata: ["path": "\(configuration.path)"])
                } catch {
                    answer.give(.failure(error))
                }
            }
        }
    }

    /// The file that is at the path now, with the bytes cut off its end; `nil` when it is the one in use.
    private func newFile() throws(AuditError) -> (any AuditFile, cut: Int)? {
        let inUse = state.withLock { $0.appender.file.identity }
        if AppendedFile.identity(of: configuration.path) == inUse { return nil }
        let (file, _, cut) = try Self.opened(configuration.path, open)
        guard (try? file.size()) == 0 else {
            throw AuditError(
                .unusable, "\(configuration.path) has records already, and they are not this log's",
                hint: "let the rotation leave no file there, or an empty one")
        }
        return (file, cut)
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
        state.withLock { $0.isClosed = true }
        // Who began to write before is let finish: the file is another's from then on.
        while state.withLock({ $0.isWriting || $0.gathering > 0 }) { try? await Task.sleep(for: .milliseconds(5)) }
        _ = synchronize()
        state.withLock { state in
            // A thread that wrote the last record may still be about to let go of the file.
            for file in state.former + [state.appender.file] { file.unlock() }
            state.appender = AuditAppender(ClosedAuditFile())
            state.former = []
        }
    }
}
