import AgentProtocol
import IssuerStore
import KeyLifecycle

/// The one place where errors of the agent become errors of the protocol, by type and code.
extension ProtocolError {
    init(mapping error: any Error) {
        switch error {
        case let error as ProtocolError: self = error
        case let error as LifecycleError: self.init(error)
        case let error as HSMError: self.init(error)
        case let error as StoreError: self.init(error)
        case let error as AuditError: self.init(error)
        default: self.init(.internalError, "the agent failed in a way it does not expect", hint: "see the agent's log")
        }
    }

    init(_ refusal: SigningRefusal) {
        switch refusal {
        case .issuer(let error): self.init(error)
        case .hsm(let error): self.init(error)
        }
    }

    init(_ error: LifecycleError) {
        let reason: Reason =
            switch error.code {
            case .claimsInvalid: .claimsInvalid
            case .lifetimeExceeded: .tokenLifetimeExceeded
            case .policyInvalid: .policyInvalid
            case .conflict: .conflict
            case .wouldRevoke: .wouldRevoke
            case .keyNotFound: .keyNotFound
            case .noKeyLeft: .hsmUnavailable
            case .issuerNotFound: .issuerNotFound
            case .issuerExists: .issuerExists
            case .issuerQuarantined: .issuerQuarantined
            case .issuerNameInvalid: .invalidParams
            default: .internalError
            }
        var details = error.generation.map { ["generation": JSONValue.integer(Int64($0))] } ?? [:]
        var message = error.message
        if let end = error.overlapEndsAt.map({ WireTime($0).text }) {
            details["overlapEndsAt"] = .string(end)
            message += "; it is over at \(end)"
        }
        self.init(reason, message, hint: error.hint, details: details)
    }

    init(_ error: HSMError) {
        let reason: Reason =
            switch error.code {
            case .busy: .busy
            case .deadlineExceeded: .deadlineExceeded
            case .unsupported: .unsupportedAlgorithm
            case .shuttingDown: .shuttingDown
            case .unconfirmed: .storeUnavailable
            default: .hsmUnavailable
            }
        self.init(reason, error.message, hint: error.hint)
    }

    init(_ error: StoreError) {
        self.init(error.code == .conflict ? .conflict : .storeUnavailable, error.message, hint: error.hint)
    }
}
