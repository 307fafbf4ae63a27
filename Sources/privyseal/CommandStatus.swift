import ArgumentParser

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
