/// Group commit: what is to be written and by whom. One thread at a time is the writer, which alone uses the appender and the
/// chain then. Says what is to be done and does none of it.
struct AuditQueue: Sendable {
    enum Item: Sendable {
        case record(AuditText, written: @Sendable (borrowing AuditReceipt) -> Void)
        /// What comes after goes to another file, which begins with what is to be said of that.
        case file(any AuditFile, saying: [AuditText], switched: @Sendable () -> Void)
        /// Looks whether another process has changed the file, and records that.
        case check
    }

    /// What the writer goes on with.
    struct Batch: Sendable {
        let items: [Item]
        let appender: AuditAppender
        let chain: AuditChain
        let isClosed: Bool
    }

    /// What the writer does next.
    enum Step: Sendable {
        case write(Batch)
        /// Leaves its role to the log's own thread, with what is pending.
        case handOver
        /// Nothing: it is the writer no more.
        case rest
    }

    private var pending: [Item] = []
    /// Whether a thread is the writer.
    private var isWriting = false
    /// How many threads gather records, which are written when the last of them is done.
    private var gathering = 0
    /// Counts the batches that a writer has begun with.
    private(set) var batches: UInt64 = 0
    private(set) var appender: AuditAppender
    private(set) var chain: AuditChain
    /// Whether the file is one that has no name any more: what is written to it is in none that will be found.
    private(set) var isFileLost = false
    /// Whether anything has been written since the last fsync.
    private var isDirty = false
    /// When the last fsync was begun, in nanoseconds of the monotonic clock.
    private var synchronizedAt: Int64
    /// Files of before a rotation, not yet brought to the disk for the last time.
    private var former: [any AuditFile] = []
    private var isClosed = false

    init(_ file: any AuditFile, after last: AuditLink?, at now: Int64) {
        appender = AuditAppender(file)
        chain = AuditChain(after: last)
        synchronizedAt = now
    }

    /// Whether something is to be written or is being written.
    var isDue: Bool { isWriting || !pending.isEmpty }
    var isAtRest: Bool { !isWriting && gathering == 0 }

    // MARK: - What comes in. Each returns whether the calling thread is the writer from now on.

    mutating func add(_ item: Item) -> Bool {
        pending.append(item)
        return becomeWriter()
    }

    mutating func beginGathering() {
        gathering += 1
    }

    mutating func endGathering() -> Bool {
        gathering -= 1
        return becomeWriter()
    }

    private mutating func becomeWriter() -> Bool {
        guard !isWriting, gathering == 0, !pending.isEmpty else { return false }
        isWriting = true
        return true
    }

    /// Records that no writer has begun with, to be answered: they will not be written.
    mutating func takePendingRecords() -> [@Sendable (borrowing AuditReceipt) -> Void] {
        var taken: [@Sendable (borrowing AuditReceipt) -> Void] = []
        pending.removeAll { item in
            guard case .record(_, let written) = item else { return false }
            taken.append(written)
            return true
        }
        return taken
    }

    // MARK: - For the writer

    /// - Parameter isRelieved: whether the thread has written for others long enough.
    mutating func nextStep(isRelieved: Bool) -> Step {
        guard !pending.isEmpty else {
            isWriting = false
            return .rest
        }
        guard !isRelieved else { return .handOver }
        defer { pending = [] }
        batches += 1
        return .write(Batch(items: pending, appender: appender, chain: chain, isClosed: isClosed))
    }

    mutating func appended(_ appender: AuditAppender, _ chain: AuditChain) {
        self.appender = appender
        self.chain = chain
        isDirty = true
    }

    /// Nothing was written, but something learned of the file.
    mutating func noticed(_ appender: AuditAppender) {
        self.appender = appender
    }

    mutating func switchTo(_ appender: AuditAppender) {
        former.append(self.appender.file)
        self.appender = appender
        isFileLost = false
    }

    /// The file has lost its name, and there is no other to go on in.
    mutating func loseFile() {
        isFileLost = true
    }

    // MARK: - Bringing to the disk, and the end

    func isSynchronizationDue(at now: Int64, every interval: Int64) -> Bool {
        now - synchronizedAt >= interval
    }

    /// The files that something was written to since they were last brought to the disk, the one in use last.
    mutating func takeDirty(at now: Int64) -> [any AuditFile] {
        synchronizedAt = now
        guard isDirty || !former.isEmpty else { return [] }
        isDirty = false
        return former + [appender.file]
    }

    mutating func synchronized(_ files: [any AuditFile]) {
        let done = Set(files.dropLast().map(\.identity))
        former.removeAll { done.contains($0.identity) }
    }

    mutating func notSynchronized() {
        isDirty = true
    }

    mutating func close() {
        isClosed = true
    }

    mutating func releaseFiles() {
        // A thread that wrote the last record may still be about to let go of the file.
        for file in former + [appender.file] { file.unlock() }
        appender = AuditAppender(ClosedAuditFile())
        former = []
    }
}
