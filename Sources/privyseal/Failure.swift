import AgentClient
import AgentProtocol
import ArgumentParser
import Platform
import RelyingParty

/// A failure as it is shown: what happened, what to do, and the exit code.
struct Failure: Error, Equatable {
    let status: CommandStatus
    /// What happened, in one line; nil when the command's result has said it already.
    let message: String?
    /// What to do about it, in one line.
    let hint: String?

    init(_ status: CommandStatus = .failed, _ message: String?, hint: String? = nil) {
        self.status = status
        self.message = message
        self.hint = hint
    }

    /// The lines for standard error, each with its line end.
    var text: String {
        guard let message else { return "" }
        return "error: \(message)\n" + (hint.map { "hint: \($0)\n" } ?? "")
    }
}

extension Failure {
    /// Every error this program meets, by its type.
    init(_ error: any Error) {
        switch error {
        case let error as Failure: self = error
        case let error as ProtocolError: self.init(error)
        case let error as AgentUnreachable: self.init(.agentUnreachable, error.message, hint: error.hint)
        case let error as VerificationError: self.init(error)
        case let error as PlatformError: self.init(.failed, error.message, hint: error.hint)
        case let error as NotConfirmed: self.init(.failed, error.message, hint: error.hint)
        case let error as JSONError: self.init(.failed, error.message)
        default: self.init(.failed, String(describing: error))
        }
    }

    /// A refusal by the agent. A reason this client does not know is shown by its name and handled by `retryable`.
    private init(_ error: ProtocolError) {
        let isKnown = Reason.all.contains { $0.reason == error.reason }
        self.init(
            .failed, isKnown ? error.message : "\(error.message) (\(error.reason))",
            hint: error.hint ?? Self.hint(for: error))
    }

    private static func hint(for error: ProtocolError) -> String? {
        switch error.reason {
        case .conflict: "someone changed it meanwhile: look at it again, then repeat the command"
        case .issuerNotFound: "`privyseal issuer list` shows the issuers there are"
        case .keyNotFound: "`privyseal keys list` shows the keys there are"
        case .methodNotFound: "the agent may be older than this client: compare with `privyseal version`"
        default: error.retryable ? "try again in a moment; `privyseal health` says what is wrong" : nil
        }
    }

    /// What was judged and found wrong is a failed verification; what could not be got is a failure.
    private init(_ error: VerificationError) {
        let status: CommandStatus
        switch error.code {
        case .issuerURLInvalid: status = .usage
        case .unreachable, .httpStatus, .documentTooLarge, .documentInvalid, .discoveryIssuerMismatch, .keySetInvalid,
            .certificateUntrusted, .authoritiesUnusable, .proxyInvalid:
            status = .failed
        default: status = .verificationFailed
        }
        self.init(status, error.message, hint: error.hint)
    }
}

/// The documented exit codes. Scripts rely on them: none changes its meaning.
enum CommandStatus: Int32, CaseIterable {
    case done = 0
    /// The agent refused, or something failed on the way.
    case failed = 1
    case usage = 2
    case agentUnreachable = 3
    case verificationFailed = 4

    /// ArgumentParser's own codes: 0 for help and versions, 64 (`EX_USAGE`) for what it cannot parse.
    init(parser code: ExitCode) {
        switch code {
        case .success: self = .done
        case .validationFailure: self = .usage
        default: self = .failed
        }
    }
}
