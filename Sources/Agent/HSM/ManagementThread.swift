import Foundation
import PKCS11

/// The one thread that makes, reads and destroys keys, off the signing path and one piece of work after the other: SoftHSM
/// fails under parallel generation. What waits for it is its line's: ``ManagementLine``.
///
/// Its session stays open for as long as it is good, which keeps the process logged in.
final class ManagementThread: Sendable {
    typealias Command = ManagementLine.Command

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
    private let line: ManagementLine
    private let changeLimit: Double

    /// - Parameter changeLimitSeconds: how long a call that makes or destroys a key may take.
    init(
        access: TokenAccess, status: HSMStatus, recovery: TokenRecovery, line: ManagementLine, changeLimitSeconds: Double
    ) {
        self.access = access
        self.status = status
        self.recovery = recovery
        self.line = line
        changeLimit = changeLimitSeconds
    }

    /// Opens the session that logs the process in; `opened` is called with what came of it, and with nothing when the thread
    /// has been given up meanwhile. Then carries out commands until the line is closed and empty.
    func run(_ calls: WatchedThread, opened: (PKCS11Error?) -> Void = { _ in }) {
        do throws(PKCS11Error) {
            let session = TokenSession(session: try access.openFirstSession(), generation: access.generation)
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
        while let command = next ?? line.next() {
            next = nil
            if let trouble = status.trouble {
                command.fail(trouble)
                continue
            }
            let opening = access.open(watchedBy: calls, ifNever: { command.fail(.unanswered) }) {
                access throws(PKCS11Error) in
                command.kind.isWriting ? try access.openSession(.readWrite) : try access.openAnySession()
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
                line.pause(0.05)
                if line.isClosed {
                    command.fail(.noMoreWork)
                    next = nil
                }
            case .givenUp: return
            }
        }
    }

    private enum AfterSession {
        /// On another session, with this command first if there is one.
        case goOn(Command?)
        /// The line is closed and empty, or the thread has been given up.
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
        var next = first ?? line.next()
        while let command = next {
            guard status.trouble == nil else { return .reopen(command, isLost: access.generation != session.generation) }
            var state: SessionState?
            var isGood = false
            let outcome = access.call(
                ofGeneration: session.generation, watchedBy: calls, limit: command.kind.isLong ? .seconds(changeLimit) : .usual,
                ifNever: { command.fail(.unanswered) }
            ) { () -> ManagementLine.Failure? in
                state = (try? session.session.info())?.state
                isGood = command.kind.isWriting ? state == .readWriteUser : state?.isUserLoggedIn == true
                return isGood ? command.run(session.session, command.isRepeated) : nil
            }
            let failure: ManagementLine.Failure?
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
            next = line.next()
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
    var mayHelpToRepeat: Bool { endsSession != nil }

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
    fileprivate static func badSession(_ state: SessionState?) -> HSMError {
        HSMError(
            .unavailable, "the token opens sessions that cannot be used: " + (state.map { "\($0)" } ?? "C_GetSessionInfo fails"),
            hint: "have the module and the HSM examined")
    }
}
