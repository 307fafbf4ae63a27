import Platform

/// The process at the other end of a connection, as the kernel reports it (`SO_PEERCRED`).
public struct Caller: Hashable, Sendable, CustomStringConvertible {
    public let uid: UInt32
    public let gid: UInt32
    public let pid: Int32

    public init(uid: UInt32, gid: UInt32, pid: Int32) {
        self.uid = uid
        self.gid = gid
        self.pid = pid
    }

    init(_ credentials: PeerCredentials) {
        self.init(uid: credentials.uid, gid: credentials.gid, pid: credentials.pid)
    }

    public var description: String { "uid \(uid), pid \(pid)" }
}
