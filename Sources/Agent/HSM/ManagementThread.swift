import Foundation
import PKCS11
import Platform

/// The one thread that makes, reads and destroys keys, off the signing path and one piece of work after the other: SoftHSM
/// fails under parallel generation.
///
/// Its session stays open for as long as it is good, which keeps the process logged in.
///
/// What is in the background gives way to what is awaited: see ``WaitingWork``. A key that is made in the background is made at a
/// lower priority as well.
final class ManagementThread: Sendable {
    /// What work may be done with.
    struct Kind: Sendable {
        /// Whether it changes the token, and so needs a read/write session.
        let isWriting: Bool
        /// Whether it takes long by its nature, or is many calls.
        let isLong: Bool
        /// Whether it may be run again after a failure.
        let isRepeatable: Bool
    }

    private struct Command: Sendable {
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
    private struct Failure {
        let error: any Error
        /// Whether it has been answered; otherwise it is to be run again.
        let isAnswered: Bool
    }

    private enum End {
        case finished
        /// The thread has been given up, and its call has returned at last.
        case givenUp
        /// Another session is wanted, for this command if there is one.
        case reopen(Command?, isLost: Bool)
    }

    private let access: TokenAccess
    private let status: HSMStatus
    private let recovery: TokenRecovery
    private let queue: WorkQueue<Command>
    private let changeLimit: Double
    private let priority: BackgroundPriority

    /// Pieces of work that may be awaited at a time.
    private static let mostAwaited = 4_096

    init(
        access: TokenAccess, status: HSMStatus, recovery: TokenRecovery, priority: BackgroundPriority,
        configuration: HSMConfiguration, clock: AgentClock
    ) {
        queue = WorkQueue(limit: Self.mostAwaited, clock: clock)
        self.access = access
        self.priority = priority
        self.status = status
        self.recovery = recovery
        changeLimit = configuration.changeLimitSeconds
    }

    func close() {
        queue.close()
        priority.raise()
    }

    /// How long the line of each class is.
    var lineLengths: [WorkClass: LineLength] { queue.lengths }

    /// Begins nothing in the background until `release()`.
    func reserve() { queue.reserve() }

    func release() { queue.release() }

    /// Runs work on the thread and returns what it returns.
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

    /// Whatever comes of the work, the priority is the ordinary one again before anybody is told.
    private func atPriority<Value>(lowered isLowered: Bool, _ urgency: Urgency, _ work: () throws -> Value) throws -> Value {
        if isLowered, !urgency.isAwaited { priority.lower { urgency.isAwaited || queue.count(of: .awaited) > 0 } }
        defer { priority.restore() }
        return try work()
    }

    // MARK: - On the thread

    /// Opens the session that logs the process in; `opened` is called with what came of it, and with nothing when the thread
    /// has been given up meanwhile. Then carries out commands until the queue is closed and empty.
    func run(_ calls: WatchedThread, opened: (PKCS11Error?) -> Void = { _ in }) {
        do throws(PKCS11Error) {
            let session = TokenSession(session: try Self.firstSession(access), generation: access.generation)
            opened(nil)
            guard case .goOn(let next) = use(session, calls, startingWith: nil) else { return }
            resume(calls, startingWith: next)
        } catch {
            opened(error)
        }
    }

    /// Takes over from a thread that has been given up.
    func resume(_ calls: WatchedThread) {
        resume(calls, startingWith: nil)
    }

    private func resume(_ calls: WatchedThread, startingWith first: Command?) {
        var next = first
        while let command = next ?? queue.pop() {
            next = nil
            if let trouble = status.trouble {
                command.fail(trouble)
                continue
            }
            let opening = access.open(watchedBy: calls, ifNever: { command.fail(.unanswered) }) {
                access throws(PKCS11Error) in
                command.kind.isWriting ? try access.openSession(.readWrite) : try Self.openAny(access)
            }
            switch consume opening {
            case .opened(let session):
                guard case .goOn(let left) = use(session, calls, startingWith: command) else { return }
                next = left
            case .failed(let error):
                command.fail(HSMError(noSession: error))
                report(error)
            case .outOfUse:
                next = command
                queue.pause(0.05)
                if queue.isClosedNow {
                    command.fail(.noMoreWork)
                    next = nil
                }
            case .givenUp: return
            }
        }
    }

    /// Several processes that start on one SoftHSM token fail to log in now and then; a refused PIN is not tried again.
    private static func firstSession(_ access: TokenAccess) throws(PKCS11Error) -> Session {
        for _ in 1..<5 {
            do throws(PKCS11Error) {
                return try openAny(access)
            } catch {
                if error.isPINRefusal { throw error }
                Thread.sleep(forTimeInterval: 0.2)
            }
        }
        return try openAny(access)
    }

    /// On a token that cannot be written to, what is there can still be read and signed with.
    private static func openAny(_ access: TokenAccess) throws(PKCS11Error) -> Session {
        do throws(PKCS11Error) {
            return try access.openSession(.readWrite)
        } catch {
            guard error.returnValue == .tokenWriteProtected || error.returnValue == .sessionReadOnly else { throw error }
            return try access.openSession(.readOnly)
        }
    }

    private enum AfterSession {
        /// On another session, with this command first if there is one.
        case goOn(Command?)
        /// The queue is closed and empty, or the thread has been given up.
        case end
    }

    /// Carries out commands on one session, for as long as it is good, and gives it back.
    private func use(_ session: consuming TokenSession, _ calls: WatchedThread, startingWith first: Command?) -> AfterSession {
        switch serve(session, calls, startingWith: first) {
        case .finished:
            session.abandon()
            return .end
        case .givenUp:
            access.closeLate(session, calls)
            return .end
        case .reopen(let command, isLost: true):
            access.abandonLost(session)
            return .goOn(command)
        case .reopen(let command, isLost: false):
            return access.close(session, watchedBy: calls) { command?.fail(.unanswered) } ? .goOn(command) : .end
        }
    }

    /// A session is asked before each command whether it is good, because work that changes the token must not be tried again
    /// blindly.
    private func serve(_ session: borrowing TokenSession, _ calls: WatchedThread, startingWith first: Command?) -> End {
        var next = first ?? queue.pop()
        while let command = next {
            guard status.trouble == nil else { return .reopen(command, isLost: access.generation != session.generation) }
            var state: SessionState?
            var isGood = false
            let outcome = access.call(
                ofGeneration: session.generation, watchedBy: calls, limit: command.kind.isLong ? .seconds(changeLimit) : .usual,
                ifNever: { command.fail(.unanswered) }
            ) { () -> Failure? in
                state = (try? session.session.info())?.state
                isGood = command.kind.isWriting ? state == .readWriteUser : state?.isUserLoggedIn == true
                return isGood ? command.run(session.session, command.isRepeated) : nil
            }
            let failure: Failure?
            switch outcome {
            case .done(let result): failure = result
            case .outOfUse: return .reopen(command, isLost: access.generation != session.generation)
            case .anotherGeneration: return .reopen(command, isLost: true)
            case .givenUp: return .givenUp
            }
            guard isGood else {
                var again = command
                again.badSessions += 1
                guard again.badSessions > 2 else { return .reopen(again, isLost: state == nil) }
                command.fail(.badSession(state))
                return .reopen(nil, isLost: state == nil)
            }
            if let failure {
                if failure.isAnswered { report(failure.error) }
                if let isLost = Reaction(to: failure.error).endsSession {
                    var again = command
                    again.isRepeated = true
                    return .reopen(failure.isAnswered ? nil : again, isLost: isLost)
                }
            }
            next = queue.pop()
        }
        return .finished
    }

    /// What a failure says of the token as a whole.
    private func report(_ error: any Error) {
        guard let error = error as? PKCS11Error else { return }
        status.noteDisturbance(HSMError(managing: error))
        switch Reaction(to: error) {
        case .freshSession(_, then: .probe), .logIn, .probe, .latch, .backOff: recovery.suspect()
        case .freshSession(_, then: .keyUnavailable), .shedLoad, .awaitSession, .fail: break
        }
    }
}

extension Reaction {
    /// Whether the same work may succeed on another session.
    fileprivate var mayHelpToRepeat: Bool { endsSession != nil }

    /// Whether the session is to be given up, and if so whether it is lost.
    fileprivate var endsSession: Bool? {
        switch self {
        case .freshSession(let isLost, _): isLost
        case .logIn, .backOff: false
        case .probe: true
        case .shedLoad, .awaitSession, .latch, .fail: nil
        }
    }
}

extension HSMError {
    fileprivate static let noMoreWork = HSMError(
        .shuttingDown, "no more work is taken for the token", hint: "try again in a moment")

    fileprivate static func tooMuchWork(_ count: Int) -> HSMError {
        HSMError(.busy, "\(count) requests that read or change keys are waiting for the token", hint: "try again in a moment")
    }

    fileprivate static func badSession(_ state: SessionState?) -> HSMError {
        HSMError(
            .unavailable, "the token opens sessions that cannot be used: " + (state.map { "\($0)" } ?? "C_GetSessionInfo fails"),
            hint: "have the module and the HSM examined")
    }

    /// Work on the token that failed.
    fileprivate init(managing error: any Error) {
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
