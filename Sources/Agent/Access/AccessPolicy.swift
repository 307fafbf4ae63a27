public import AgentProtocol

/// What which caller may do: the first rule that matches decides; without one, nothing is allowed. Root has no rights of its own.
public struct AccessPolicy: Sendable {
    public let rules: [AccessRule]
    /// The uid that stands for users of another user namespace: which of them cannot be told.
    private let overflowUID: UInt32
    /// The gid that stands for groups of another user namespace, which make no caller a member of anything here.
    private let overflowGID: UInt32

    public init(rules: [AccessRule], overflowUID: UInt32, overflowGID: UInt32) {
        self.rules = rules
        self.overflowUID = overflowUID
        self.overflowGID = overflowGID
    }

    /// The policy of an agent without access rules: its own uid may do everything, others nothing.
    public static func ownUser(_ uid: UInt32) -> AccessPolicy {
        // An operator who runs the agent as the overflow uid has been warned by the kernel's documentation.
        AccessPolicy(
            rules: [AccessRule(name: "the agent's own user", user: uid, methods: nil)], overflowUID: .max, overflowGID: .max)
    }

    /// The rule that decides, by its place; `nil` when the caller is denied.
    ///
    /// - Parameter issuer: `nil` for a method that is about none, or about all that may be seen.
    public func deciding(_ caller: Caller, _ method: Method, issuer: String?) -> Int? {
        guard caller.uid != overflowUID else { return nil }
        return rules.firstIndex { $0.group != overflowGID && $0.matches(caller, method, issuer: issuer) }
    }

    /// Connections this caller may have open at once; `nil` where no rule says.
    func connectionLimit(_ caller: Caller) -> Int? {
        // One that can only be refused needs few.
        guard party(of: caller) != .strangers else { return 4 }
        return rules.first { $0.connections != nil && concerns($0, caller) }?.connections
    }

    /// A caller whom no rule is for, whatever it asks, is a stranger.
    func party(of caller: Caller) -> Party {
        guard caller.uid != overflowUID, rules.contains(where: { concerns($0, caller) }) else { return .strangers }
        return .user(caller.uid)
    }

    private func concerns(_ rule: AccessRule, _ caller: Caller) -> Bool {
        rule.group != overflowGID && rule.concerns(caller)
    }
}

/// The rule of a policy that has allowed a request, and what it still has to say of it.
struct AccessDecision: Sendable {
    let policy: AccessPolicy
    /// Of the rule; `nil` where what is open to all was asked for and no rule is for it.
    let place: Int?

    /// - Throws: as `AccessRule.check(_:)`.
    func check(_ facts: SignatureFacts) throws(ProtocolError) {
        try rule().check(facts)
    }

    /// - Parameter lifetime: seconds.
    /// - Throws: as `AccessRule.check(lifetime:)`.
    func check(lifetime: Int) throws(ProtocolError) {
        try rule().check(lifetime: lifetime)
    }

    /// What has bounds is open to nobody without a rule.
    private func rule() throws(ProtocolError) -> AccessRule {
        guard let place else {
            throw ProtocolError(
                .permissionDenied, "no access rule allows this caller to ask for a signature",
                hint: "ask the operator of the agent for an access rule")
        }
        return policy.rules[place]
    }
}
