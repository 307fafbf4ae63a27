import CPlatform
import Glibc

/// The path of a Unix stream socket, short enough for the platform.
public struct UnixSocketPath: Sendable, Hashable, CustomStringConvertible {
    /// The path as given.
    public let path: String
    private let trusted: TrustedDirectories

    /// The most bytes the path of a socket may have: 107 on Linux (unix(7), `sun_path`).
    public static var limit: Int { privyseal_socket_path_limit() }

    /// Throws ``PlatformError`` with the code `tooLong`, naming length and limit, or `malformed` for an empty path or one with a NUL.
    ///
    /// `trusted` are directories that ``checkDirectory()`` refuses for their owner alone.
    public init(_ path: String, trusting trusted: TrustedDirectories = .none) throws(PlatformError) {
        let length = path.utf8.count
        guard length > 0, !path.utf8.contains(0) else {
            throw PlatformError(.malformed, "the socket path is empty or has a NUL in it", hint: "give an absolute path")
        }
        guard length <= Self.limit else {
            throw PlatformError(
                .tooLong, "the socket path is \(length) bytes long, the platform takes \(Self.limit): \(path)",
                hint: "choose a shorter path, such as /run/privyseal/agent.sock")
        }
        self.path = path
        self.trusted = trusted
    }

    /// The path.
    public var description: String { path }

    /// Refuses a directory in which somebody else could put a socket of their own in the place of this one, or hold the lock
    /// beside it.
    ///
    /// Also one that its group can write: that group is, as a rule, who may connect. Also one with the sticky bit, where a
    /// socket or a lock that is not there yet is anybody's to make. Throws ``PlatformError`` with the code `exposed`, naming
    /// the mode, or `missing`.
    public func checkDirectory() throws(PlatformError) {
        let slash = path.utf8.lastIndex(of: UInt8(ascii: "/"))
        let directory = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        try FileTrust.checkDirectory(directory, "the socket's directory", trusting: trusted)
        try FileTrust.checkPlace(of: directory, "the socket's directory", trusting: trusted)
    }

    /// What is at a socket path now.
    public enum Occupancy: Sendable, Hashable {
        /// Nothing.
        case absent
        /// A socket somebody listens on.
        case live
        /// A socket nobody listens on any more, left behind by a process that ended without removing it.
        case stale
        /// Something else; it must not be removed.
        case notASocket
    }

    /// Looks at the path and, when there is a socket, connects to it.
    ///
    /// The answer can be out of date when it arrives: whoever removes a stale socket holds a ``FileLock`` meanwhile. Throws
    /// ``PlatformError`` when it cannot be found out, such as for lack of permission to connect.
    public func occupancy() throws(PlatformError) -> Occupancy {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else {
            let number = errno
            if number == ENOENT { return .absent }
            throw PlatformError.failed("lstat", path, number)
        }
        guard status.st_mode & S_IFMT == S_IFSOCK else { return .notASocket }
        let failure = unsafe privyseal_probe_stream_socket(path)
        switch failure {
        case 0, EPROTOTYPE: return .live
        case ECONNREFUSED: return .stale
        case ENOENT: return .absent
        default: throw PlatformError.failed("connect", path, failure)
        }
    }
}
