import CPlatform
import Glibc

/// Who is at the other end of a Unix socket, as the kernel recorded it when the connection was made (unix(7), SO_PEERCRED).
///
/// The pid may since have been given to another process: it is for the audit log, never for a decision.
public struct PeerCredentials: Sendable, Hashable {
    /// The effective user.
    public let uid: UInt32
    /// The effective group; supplementary groups are not reported.
    public let gid: UInt32
    /// The process.
    public let pid: Int32

    /// Credentials put together by hand.
    public init(uid: UInt32, gid: UInt32, pid: Int32) {
        self.uid = uid
        self.gid = gid
        self.pid = pid
    }

    /// What others are told of this process.
    public static var ofThisProcess: PeerCredentials {
        PeerCredentials(uid: geteuid(), gid: getegid(), pid: getpid())
    }

    /// Asks the kernel about a connected Unix socket.
    public init(socket: CInt) throws(PlatformError) {
        var raw = privyseal_ucred()
        let failure = unsafe privyseal_peer_credentials(socket, &raw)
        guard failure == 0 else {
            throw PlatformError(
                .systemCall, "getsockopt SO_PEERCRED: \(systemErrorText(failure))",
                hint: "only Unix sockets have peer credentials")
        }
        self.init(uid: raw.uid, gid: raw.gid, pid: raw.pid)
    }
}
