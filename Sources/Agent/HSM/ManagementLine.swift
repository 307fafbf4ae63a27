import PKCS11

/// The line of the management thread: callers put work into it, and wait for what comes of it.
///
/// What is in the background gives way to what is awaited: see ``WaitingWork``. A key that is made in the background is made at a
/// lower priority as well.
final class ManagementLine: Sendable {
    /// What work may be done with.
    struct Kind: Sendable {
        /// Whether it changes the token, and so needs a read/write session.
        let isWriting: Bool
        /// Whether it takes long by its nature, or is many calls.
        let isLong: Bool
        /// Whether it may be run again after a failure.
        let isRepeatable: Bool
    }

    struct Command: Sendable {
        let kind: Kind
        /// The class it waits in while it is in the background.
        let background: WorkClass
        let urgency: Urgency
        var isRepeated = false
        /// Sessions that were not as they should be right after they were opened.
        var badSessions = 0
        let run: @Sendable (borrowing Session, _ isLast: Bool) -> Failure?
        let fail: @Sendable (HSMError) -> Void
    }

    /// Work that failed.
    struct Failure {
        let error: any Error
        /// Whether it has been answered; otherwise it is to be run again.
        let isAnswered: Bool
    }

    private let queue: WorkQueue<Command>
    private let priority: BackgroundPriority

    /// Pieces of work that may be awaited at a time.
    private static let mostAwaited = 4_096

    init(priority: BackgroundPriority, clock: AgentClock) {
        queue = WorkQueue(limit: Self.mostAwaited, clock: clock)
        self.priority = priority
    }

    func close() {
        queue.close()
        priority.raise()
    }

    /// How much waits of each class, and for how long.
    var lengths: [WorkClass: LineLength] { queue.lengths }

    /// Begins nothing in the background until `release()`.
    func reserve() { queue.reserve() }

    func release() { queue.release() }

    /// Has the thread do work and returns what that returns.
    ///
    /// - Parameters:
    ///   - background: the class it waits in while it is in the background.
    ///   - urgency: `boost()` is to be called when it has come to be awaited.
    /// - Throws: `HSMError`.
    func perform<Value: Sendable>(
        _ kind: Kind, as background: WorkClass = .generation, urgency: Urgency = .awaited,
        _ work: @escaping @Sendable (borrowing Session) throws -> Value
    ) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            let answer = OneAnswer<Value>(continuation)
            let isLowered = kind.isLong && background == .generation
            let command = Command(
                kind: kind, background: background, urgency: urgency,
                run: { [self] session, isLast in
                    do {
                        answer.give(.success(try atPriority(lowered: isLowered, urgency) { () throws in try work(session) }))
                        return nil
                    } catch {
                        let mayRepeat = kind.isRepeatable && !isLast && Reaction(to: error).mayHelpToRepeat
                        if !mayRepeat { answer.give(.failure(HSMError(managing: error))) }
                        return Failure(error: error, isAnswered: !mayRepeat)
                    }
                },
                fail: { answer.give(.failure($0)) })
            enqueue(command)
        }
    }

    private func enqueue(_ command: Command) {
        let isAwaited = command.urgency.isAwaited
        do throws(WorkQueue<Command>.Refusal) {
            try queue.push(command, isAwaited ? .awaited : command.background)
        } catch {
            switch error {
            case .full: command.fail(.tooMuchWork(Self.mostAwaited))
            case .closed: command.fail(.noMoreWork)
            }
        }
        if isAwaited { priority.raise() } else if command.urgency.isAwaited { boost() }
    }

    /// A caller has come to wait, perhaps for what is queued in the background, or for what is under way before that.
    func boost() {
        queue.promote { $0.urgency.isAwaited }
        priority.raise()
    }

    /// Fails what is to be destroyed and has not been begun.
    func leaveDestructions() {
        for command in queue.take(where: { $0.background == .destruction }) { command.fail(.noMoreWork) }
    }

    /// What the watch over calls does now and then: work in the background is not kept from its processor for ever.
    func boostOverdue(after seconds: Double) {
        priority.raise(loweredFor: seconds)
    }

    /// Whatever comes of the work, the priority is the ordinary one again before its caller is told.
    private func atPriority<Value>(lowered isLowered: Bool, _ urgency: Urgency, _ work: () throws -> Value) throws -> Value {
        if isLowered, !urgency.isAwaited { priority.lower { urgency.isAwaited || queue.count(of: .awaited) > 0 } }
        defer { priority.restore() }
        return try work()
    }

    // MARK: - For the thread

    /// Waits for the next command; `nil` once the line is closed and empty.
    func next() -> Command? { queue.pop() }

    /// Waits for the given seconds, or until the line is closed, or something comes to it.
    func pause(_ seconds: Double) { queue.pause(seconds) }

    var isClosed: Bool { queue.isClosedNow }
}

extension HSMError {
    static let noMoreWork = HSMError(
        .shuttingDown, "no more work is taken for the token", hint: "try again in a moment")

    fileprivate static func tooMuchWork(_ count: Int) -> HSMError {
        HSMError(.busy, "\(count) requests that read or change keys are waiting for the token", hint: "try again in a moment")
    }

    /// Work on the token that failed.
    init(managing error: any Error) {
        switch error {
        case let error as HSMError: self = error
        case let error as PKCS11Error: self.init(error)
        default:
            self.init(
                .unavailable, "what the token shows of a key cannot be used: \(error)", hint: "have the token examined",
                cause: error)
        }
    }
}
