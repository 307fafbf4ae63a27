import AgentProtocol
import KeyLifecycle

/// Why an issuer does nothing until an operator has decided about it: its store is older than its token, or may be.
enum Quarantine: Hashable, Sendable {
    /// The store was copied from another at this moment, which may have moved on since.
    case copiedStore(Timestamp)
    /// The token shows private keys of the issuer that the store has never heard of; intents come first, so no crash can
    /// leave any.
    case unknownKeys(Int)
    /// The token shows unknown keys of other issuers, and lacks some of this one's.
    case missingKeys(Int)

    /// One line, without the issuer.
    var reason: String {
        switch self {
        case .copiedStore(let moment): "the store is a copy made at \(WireTime(moment))"
        case .unknownKeys(let count):
            "the token has \(Self.keys(count)) of it that the store has never heard of, so the store is older than the token"
        case .missingKeys(let count):
            "the store is older than the token, which lacks \(Self.keys(count)) of it"
        }
    }

    static let hint =
        "see what differs with: privyseal reconcile --dry-run; then stop the agent and decide with: "
        + "privyseald recover --restored"

    private static func keys(_ count: Int) -> String {
        count == 1 ? "a private key" : "\(count) private keys"
    }
}

extension IssuerRegistry {
    /// - Throws: `LifecycleError` with `.issuerQuarantined`.
    func requireServing(_ name: IssuerName) throws {
        if let why = quarantine[name] { throw LifecycleError.quarantined(name, why) }
    }

    /// What requests for signatures get instead, if anything.
    func refusal(of name: IssuerName) -> ProtocolError? {
        if let why = quarantine[name] { return ProtocolError(LifecycleError.quarantined(name, why)) }
        guard !isTokenChecked else { return nil }
        return ProtocolError(HSMError.unchecked)
    }
}

extension LifecycleError {
    static func quarantined(_ name: IssuerName, _ why: Quarantine) -> LifecycleError {
        LifecycleError(.issuerQuarantined, "the issuer \(name) is in quarantine: \(why.reason)", hint: Quarantine.hint)
    }
}
