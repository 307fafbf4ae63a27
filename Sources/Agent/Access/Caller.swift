import Platform

/// The process at the other end of a connection, as the kernel reports it (`SO_PEERCRED`, `SO_PEERGROUPS`).
public struct Caller: Hashable, Sendable, CustomStringConvertible {
    public let uid: UInt32
    public let gid: UInt32
    public let pid: Int32
    /// Supplementary groups.
    public let groups: [UInt32]
    /// The name of the uid, where it has one. For people to read: rules go by the uid.
    public let user: String?
    /// Whose share its connection counts against, by the rules that were in force when it came; `nil` without one.
    var party: Party?

    public init(uid: UInt32, gid: UInt32, pid: Int32, groups: [UInt32] = [], user: String? = nil) {
        self.uid = uid
        self.gid = gid
        self.pid = pid
        self.groups = groups
        self.user = user
    }

    init(_ credentials: PeerCredentials, _ groups: PeerGroups, user: String?) {
        self.init(uid: credentials.uid, gid: credentials.gid, pid: credentials.pid, groups: groups.gids, user: user)
    }

    /// This process, for what it does by itself.
    static var thisProcess: Caller {
        let own = PeerCredentials.ofThisProcess
        return Caller(uid: own.uid, gid: own.gid, pid: own.pid, user: UserAccount.name(ofUser: own.uid))
    }

    func isMember(of group: UInt32) -> Bool {
        gid == group || groups.contains(group)
    }

    public var description: String { "uid \(uid), pid \(pid)" }
}

/// Whose share of the agent a caller's requests count against: of its time, its memory and its connections.
enum Party: Hashable, Sendable {
    case user(UInt32)
    /// All users together that no rule is for: whatever they ask is denied, however many they are.
    case strangers
}
