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
    /// The shared store is an older state of itself, and how that shows.
    case storeWentBack(String)
    /// What the shared store has of the issuer cannot be believed, and why.
    case unbelievable(String)
    /// The shared store names these published keys, by kid, and the token does not show that it holds them.
    case keysNotShown([String])
    /// The token does not show the key that the issuer's record in the shared store is sealed with.
    case sealNotShown

    /// Whether it is a doubt about what the store says, which the token cannot settle.
    var isOfStore: Bool {
        switch self {
        case .storeWentBack, .unbelievable: true
        default: false
        }
    }

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
        case .storeWentBack(let how): "the store is an older state of itself: \(how)"
        case .unbelievable(let why): "what the store has of it cannot be believed: \(why)"
        case .sealNotShown: "the token does not show the key that its record in the store is sealed with"
        case .keysNotShown(let kids):
            kids.count == 1
                ? "the token does not show its key \(kids[0]), or not held as it has to be"
                : "the token does not show \(kids.count) of its keys, or not held as they have to be"
        }
    }

    /// What to do, in one line.
    var hint: String {
        switch self {
        case .copiedStore, .unknownKeys, .missingKeys: Self.hint
        case .storeWentBack:
            "see what differs with: privyseal reconcile --dry-run; then stop every agent and decide with: privyseald recover --restored"
        case .unbelievable:
            "find out who has changed it in etcd; restore the record, or stop every agent and decide with: privyseald recover --restored"
        case .keysNotShown, .sealNotShown:
            "check that this agent's token is the one of the others and shows their keys; it is looked at again by itself. If they do "
                + "not have them either, find out who wrote to the store"
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
