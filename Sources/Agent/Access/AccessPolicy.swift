public import AgentProtocol

/// Who may do what: deny, unless a rule allows it.
public struct AccessPolicy: Sendable {
    private let ownUID: UInt32

    /// The policy of an agent without access rules: its own uid may do everything, others nothing, root included.
    public static func ownUser(_ uid: UInt32) -> AccessPolicy {
        AccessPolicy(ownUID: uid)
    }

    public func allows(_ caller: Caller, _ method: Method) -> Bool {
        caller.uid == ownUID
    }
}
