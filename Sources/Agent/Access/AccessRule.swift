public import AgentProtocol

/// One rule: whom it is for, what they may do, and within which bounds. A bound that is absent bounds nothing.
public struct AccessRule: Hashable, Sendable {
    /// How people find it: `access[2]` and its line.
    public var name: String
    /// The caller's user; with `group`, both have to match.
    public var user: UInt32?
    /// One of the caller's groups, supplementary ones included.
    public var group: UInt32?
    /// `nil` for every method.
    public var methods: Set<Method>?
    public var issuers: [Glob]?
    /// What `sub` may be. A missing `sub` is none of them.
    public var subjects: [Glob]?
    /// What each `aud` may be.
    public var audiences: [Glob]?
    /// Which claims may be there beside the registered ones.
    public var claims: Set<String>?
    /// Seconds a JWT may live.
    public var maximumLifetime: Int?
    public var rate: Rate?
    /// Connections a user may have open at once.
    public var connections: Int?

    /// Requests of one user that a rule allows.
    public struct Rate: Hashable, Sendable {
        public let perSecond: Int
        /// Requests that may come at once after a pause.
        public let burst: Int

        public init(perSecond: Int, burst: Int) {
            self.perSecond = perSecond
            self.burst = burst
        }
    }

    public init(name: String, user: UInt32? = nil, group: UInt32? = nil, methods: Set<Method>?) {
        self.name = name
        self.user = user
        self.group = group
        self.methods = methods
    }

    /// Whether the rule is about this caller, whatever is asked.
    func concerns(_ caller: Caller) -> Bool {
        (user == nil || user == caller.uid) && (group == nil || caller.isMember(of: group!))
    }

    /// - Parameter issuer: `nil` for a method that is about none, or about all that may be seen.
    func matches(_ caller: Caller, _ method: Method, issuer: String?) -> Bool {
        guard concerns(caller), methods?.contains(method.permission) ?? true else { return false }
        guard let issuers else { return true }
        // What is about the agent as a whole is not for a rule about some of its issuers.
        guard let issuer else { return !Self.ofTheWholeAgent.contains(method) }
        return issuers.contains { $0.matches(issuer) }
    }

    private static let ofTheWholeAgent: Set<Method> = [.reconcile, .storeSave, .reload, .metrics]

    /// What of a later rule can never be reached because of this one; `nil` when nothing overlaps.
    public func shadow(of later: AccessRule) -> Shadow? {
        let coversCaller = (user == nil || user == later.user) && (group == nil || group == later.group)
        guard coversCaller else { return nil }
        let coversIssuers = issuers.map { own in
            own.contains(where: \.isAny) || (later.issuers.map { $0.allSatisfy(own.contains) } ?? false)
        }
        guard coversIssuers ?? true else { return nil }
        guard let own = methods else { return .whole }
        guard let theirs = later.methods else { return .methods(own.sorted { $0.rawValue < $1.rawValue }) }
        if theirs.isSubset(of: own) { return .whole }
        let shared = theirs.intersection(own)
        return shared.isEmpty ? nil : .methods(shared.sorted { $0.rawValue < $1.rawValue })
    }

    /// The part of a rule that an earlier one takes.
    public enum Shadow: Equatable, Sendable {
        case whole
        case methods([Method])
    }
}

extension Method {
    /// Whether every caller may call it that may connect: it says nothing that the socket does not, and a client that asks whether
    /// the agent is there needs no rule for it.
    public var isOpenToAll: Bool { self == .version }

    /// The method that a rule has to allow for it.
    var permission: Method { self == .acknowledge ? .watch : self }
}
