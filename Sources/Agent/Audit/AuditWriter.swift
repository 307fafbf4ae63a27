import Platform

/// Writes records to the file. Those that come at once are written together, by the first thread that came or by the last that
/// gathers some; no caller waits for a thread that waits for anything but the file.
final class AuditWriter: Sendable {
    /// What is to be written and by whom, and the file and the chain between two batches.
    private let queue: Locked<AuditQueue>
    private let health: AuditHealth
    private let incidents: AuditIncidents
    private let keeper: AuditKeeper
    private let clock: AgentClock
    /// Has the replies leave together that come out of one batch: each record that is written lets one go.
    let sendingRepliesTogether: @Sendable (() -> Void) -> Void

    /// Batches a thread writes for others before it leaves them to the log's own thread.
    static let longestService = 32

    /// - Parameter last: the record that `file`, or the file before it, ends in.
    init(
        _ file: any AuditFile, after last: AuditLink?, _ health: AuditHealth, _ incidents: AuditIncidents, _ keeper: AuditKeeper,
        clock: AgentClock, sendingRepliesTogether: @escaping @Sendable (() -> Void) -> Void
    ) {
        queue = Locked(AuditQueue(file, after: last, at: clock.monotonic()))
        self.health = health
        self.incidents = incidents
        self.keeper = keeper
        self.clock = clock
        self.sendingRepliesTogether = sendingRepliesTogether
    }

    /// The last record that was written; nil before the first.
    var last: AuditLink? { queue.withLock { $0.chain.last } }

    var fileInUse: any AuditFile { queue.withLock { $0.appender.file } }

    /// Whether the file has lost its name, and there is no other to go on in.
    var isFileLost: Bool { queue.withLock { $0.isFileLost } }

    /// Whether something is to be written or is being written.
    var isDue: Bool { queue.withLock { $0.isDue } }

    /// How many batches have been begun, and whether there is one to come or under way.
    var progress: (batches: UInt64, isDue: Bool) { queue.withLock { ($0.batches, $0.isDue) } }

    // MARK: - What comes in

    func submit(_ text: AuditText, _ written: @escaping @Sendable (borrowing AuditReceipt) -> Void = { _ in }) {
        submit(.record(text, written: written))
    }

    func submit(_ item: AuditQueue.Item) {
        if queue.withLock({ $0.add(item) }) { writePending() }
    }

    /// Does something from which many records come, and writes them together.
    func gathering(_ work: () -> Void) {
        queue.withLock { $0.beginGathering() }
        work()
        if queue.withLock({ $0.endGathering() }) { writePending() }
    }

    /// Writes on the log's thread, and returns once that is on the disk, or with the reason why it is not.
    func writeToDisk(_ text: AuditText) async -> AuditError? {
        do {
            try await keeper.performAnswered { [self] answer in
                submit(text) { [self] receipt in
                    if let error = receipt.error { return answer.give(.failure(error)) }
                    keeper.whenOnDisk { answer.give($0.map { .failure($0) } ?? .success(())) }
                }
            }
            return nil
        } catch {
            return error as? AuditError ?? .stalled
        }
    }

    /// Answers all whose records no writer has begun with: they will not be written.
    func giveUpPending(_ error: AuditError) {
        let records = queue.withLock { $0.takePendingRecords() }
        health.countLost(records.count)
        answer(records, error)
    }

    /// The file in use has lost its name, and there is no other to go on in.
    func loseFile() {
        queue.withLock { $0.loseFile() }
    }

    // MARK: - On the thread that is the writer

    private func writePending() {
        var left = Self.longestService
        while true {
            switch queue.withLock({ [left] in $0.nextStep(isRelieved: left == 0) }) {
            case .rest: return
            case .handOver:
                // One caller's request is not to serve those of all others.
                if keeper.perform({ [self] in writePending() }) { return }
                left = .max
            case .write(let batch):
                left -= 1
                write(batch)
            }
        }
    }

    private func write(_ batch: AuditQueue.Batch) {
        var (appender, chain) = (batch.appender, batch.chain)
        var rest = batch.items[...]
        while let first = rest.first {
            if case .file(let file, let texts, let switched) = first {
                appender = AuditAppender(file, saying: texts)
                queue.withLock { [appender] in $0.switchTo(appender) }
                rest.removeFirst()
                switched()
                continue
            }
            noticeChange(of: &appender)
            var answers: [@Sendable (borrowing AuditReceipt) -> Void] = []
            var bytes: [UInt8] = []
            bytes.reserveCapacity(768 * rest.count)
            let time = clock.wallMilliseconds()
            var longer = chain
            for text in appender.unsaid { longer.append(text, atMilliseconds: time, to: &bytes) }
            records: while let item = rest.first {
                switch item {
                case .file: break records
                case .check: break
                case .record(let text, let written):
                    longer.append(text, atMilliseconds: time, to: &bytes)
                    answers.append(written)
                }
                rest.removeFirst()
            }
            guard !bytes.isEmpty else { continue }
            let error = obstacle(batch) ?? append(bytes, longer, to: &appender)
            if error == nil { chain = longer } else { health.countLost(answers.count) }
            sendingRepliesTogether { answer(answers, error) }
        }
    }

    /// Why nothing is to be written, whether or not the file takes it.
    private func obstacle(_ batch: AuditQueue.Batch) -> AuditError? {
        if batch.isClosed { return .logClosed }
        return isFileLost ? health.trouble : nil
    }

    private func noticeChange(of appender: inout AuditAppender) {
        guard let change = try? appender.noticeChange() else { return }
        appender.unsaid.append(.note(change.line))
        incidents.report(change.line)
        queue.withLock { [appender] in $0.noticed(appender) }
    }

    /// Appends a batch, and makes `chain` that of the log.
    private func append(_ batch: [UInt8], _ chain: AuditChain, to appender: inout AuditAppender) -> AuditError? {
        do throws(PlatformError) {
            try appender.append(batch)
            queue.withLock { [appender] in $0.appended(appender, chain) }
            return nil
        } catch {
            let trouble = AuditError(
                .notWritten, "the audit log cannot be written: \(error.message)",
                hint: "make room on the disk, or correct what keeps the file from being written")
            queue.withLock { [appender] in $0.noticed(appender) }
            health.report(trouble)
            return trouble
        }
    }

    // MARK: - Bringing to the disk, and the end

    func isSynchronizationDue(at now: Int64, every interval: Int64) -> Bool {
        queue.withLock { $0.isSynchronizationDue(at: now, every: interval) }
    }

    /// Brings to the disk what has been written. To be called where the disk may be waited for.
    @discardableResult
    func synchronize() -> AuditError? {
        let now = clock.monotonic()
        let files = queue.withLock { $0.takeDirty(at: now) }
        do throws(PlatformError) {
            for file in files { try file.synchronize() }
            queue.withLock { $0.synchronized(files) }
            return nil
        } catch {
            let trouble = AuditError(
                .notWritten, "the audit log cannot be brought to the disk: \(error.message)", hint: "have the disk examined")
            queue.withLock { $0.notSynchronized() }
            health.report(trouble)
            return trouble
        }
    }

    /// Takes no more records, and lets go of the file once what is there is on the disk.
    func close() async {
        queue.withLock { $0.close() }
        // A thread that began to write before is let finish: the file is another process's from then on.
        while queue.withLock({ !$0.isAtRest }) { try? await Task.sleep(for: .milliseconds(5)) }
        synchronize()
        queue.withLock { $0.releaseFiles() }
    }
}

extension AuditAppender.Change {
    /// One line for the log and for health.
    fileprivate var line: String {
        switch self {
        case .cut(let from, let to): "the file of the audit log was cut from \(from) to \(to) bytes while it was in use"
        case .grown(let count): "\(count) bytes that are not the audit log's were written into its file while it was in use"
        }
    }
}
