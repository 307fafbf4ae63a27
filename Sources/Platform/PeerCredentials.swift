public import CPlatform
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
        var raw = Raw()
        let failure = unsafe privyseal_peer_credentials(socket, &raw)
        guard failure == 0 else {
            throw PlatformError(
                .systemCall, "getsockopt SO_PEERCRED: \(systemErrorText(failure))",
                hint: "only Unix sockets have peer credentials")
        }
        self.init(raw)
    }

    /// What the kernel fills in for `SO_PEERCRED`: the value type to ask a socket option provider for.
    public typealias Raw = privyseal_ucred

    /// `SOL_SOCKET`.
    public static var optionLevel: CInt { privyseal_sol_socket }

    /// `SO_PEERCRED`.
    public static var optionName: CInt { privyseal_so_peercred }

    /// Credentials from the option's value.
    public init(_ raw: Raw) {
        self.init(uid: raw.uid, gid: raw.gid, pid: raw.pid)
    }
}
