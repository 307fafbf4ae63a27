import Platform

/// The process at the other end of a connection, as the kernel reports it (`SO_PEERCRED`, `SO_PEERGROUPS`).
public struct Caller: Hashable, Sendable, CustomStringConvertible {
    public let uid: UInt32
    public let gid: UInt32
    public let pid: Int32
    /// Supplementary groups.
    public let groups: [UInt32]

    public init(uid: UInt32, gid: UInt32, pid: Int32, groups: [UInt32] = []) {
        self.uid = uid
        self.gid = gid
        self.pid = pid
        self.groups = groups
    }

    init(_ credentials: PeerCredentials, _ groups: PeerGroups) {
        self.init(uid: credentials.uid, gid: credentials.gid, pid: credentials.pid, groups: groups.gids)
    }

    func isMember(of group: UInt32) -> Bool {
        gid == group || groups.contains(group)
    }

    public var description: String { "uid \(uid), pid \(pid)" }
}
