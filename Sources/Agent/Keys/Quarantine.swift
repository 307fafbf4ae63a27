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
    /// Another agent of the deployment, which this one knows nothing of, uses the token and was there first.
    case anotherAgent(String)

    /// One line, without the issuer.
    var reason: String {
        switch self {
        case .copiedStore(let moment): "the store is a copy made at \(WireTime(moment))"
        case .unknownKeys(let count):
            "the token has \(Self.keys(count)) of it that the store has never heard of, so the store is older than the token"
        case .missingKeys(let count):
            "the store is older than the token, which lacks \(Self.keys(count)) of it"
        case .anotherAgent(let whose):
            "another agent of this deployment, \(whose), has used the token with another store; one of the two is a copy"
        }
    }

    /// What to do, in one line.
    var hint: String {
        switch self {
        case .copiedStore, .unknownKeys, .missingKeys: Self.hint
        case .anotherAgent:
            "stop this agent if the other one is the right one; if not, stop that one, compare with: privyseal reconcile --dry-run, "
                + "and say that the token is this one's: privyseal call reload '{\"acceptToken\":true}'"
        }
    }

    static let hint =
        "see what differs with: privyseal reconcile --dry-run; then stop the agent and decide with: "
        + "privyseald recover --restored"

    private static func keys(_ count: Int) -> String {
        count == 1 ? "a private key" : "\(count) private keys"
    }
}
