/// What is to be written and by whom: one thread at a time, which alone uses the appender and the chain then.
struct AuditQueue: Sendable {
    enum Item: Sendable {
        case record(AuditText, written: @Sendable (borrowing AuditReceipt) -> Void)
        /// What comes after goes to another file, which begins with what is to be said of that.
        case file(any AuditFile, saying: [String], switched: @Sendable () -> Void)
        /// Looks whether somebody else has changed the file, and records that.
        case check
    }

    /// What the writing thread goes on with.
    struct Batch: Sendable {
        let items: [Item]
        let appender: AuditAppender
        let chain: AuditChain
        let isClosed: Bool
    }

    private(set) var pending: [Item] = []
    /// Whether a thread is writing.
    private(set) var isWriting = false
    /// How many threads gather records, which are written when the last of them is done.
    private var gathering = 0
    /// Counts the batches that a thread has begun to write.
    private(set) var batches: UInt64 = 0
    private(set) var appender: AuditAppender
    private(set) var chain: AuditChain
    /// Whether anything has been written since the last fsync.
    private var isDirty = false
    /// Files of before a rotation, not yet brought to the disk for the last time.
    private var former: [any AuditFile] = []
    private(set) var isClosed = false

    init(_ file: any AuditFile, after last: AuditLink?) {
        appender = AuditAppender(file)
        chain = AuditChain(after: last)
    }

    /// Whether something is to be written or is being written.
    var isDue: Bool { isWriting || !pending.isEmpty }
    var isAtRest: Bool { !isWriting && gathering == 0 }

    // MARK: - What comes in. Each returns whether the calling thread is to write what is pending.

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

    /// Records that nobody has begun to write, to be answered: they will not be written.
    mutating func takePendingRecords() -> [@Sendable (borrowing AuditReceipt) -> Void] {
        var taken: [@Sendable (borrowing AuditReceipt) -> Void] = []
        pending.removeAll { item in
            guard case .record(_, let written) = item else { return false }
            taken.append(written)
            return true
        }
        return taken
    }

    // MARK: - For the writing thread

    /// What is pending; `nil` when nothing is, and the thread is not the writing one any more.
    ///
    /// - Parameter isTaking: whether the items are taken, or only the rest is looked at.
    mutating func next(taking isTaking: Bool) -> Batch? {
        guard !pending.isEmpty else {
            isWriting = false
            return nil
        }
        guard isTaking else { return Batch(items: [], appender: appender, chain: chain, isClosed: isClosed) }
        defer { pending = [] }
        batches += 1
        return Batch(items: pending, appender: appender, chain: chain, isClosed: isClosed)
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

    mutating func go(on appender: AuditAppender) {
        former.append(self.appender.file)
        self.appender = appender
    }

    // MARK: - Bringing to the disk, and the end

    /// The files that something was written to since they were last brought to the disk, the one in use last.
    mutating func takeDirty() -> [any AuditFile] {
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

    mutating func letGo() {
        // A thread that wrote the last record may still be about to let go of the file.
        for file in former + [appender.file] { file.unlock() }
        appender = AuditAppender(ClosedAuditFile())
        former = []
    }
}
