import CPlatform
import Glibc

/// The listening Unix socket that the service manager has made for this process (sd_listen_fds(3)), without libsystemd.
public struct ActivatedSocket: Sendable, Equatable {
    /// The socket's descriptor; whoever serves it closes it.
    public let descriptor: CInt
    /// Where its file is. The manager made it, with owner and mode of the socket unit, and it is the manager's to remove.
    public let path: UnixSocketPath

    /// The socket on a descriptor.
    ///
    /// Throws ``PlatformError`` with the code `malformed` for anything but a Unix stream socket that listens and has a file.
    public init(descriptor: CInt) throws(PlatformError) {
        var name = [CChar](repeating: 0, count: UnixSocketPath.limit + 1)
        let failure = unsafe privyseal_listening_path(descriptor, &name, name.count)
        guard failure == 0 else { throw Self.refused(Self.reason(failure)) }
        let path = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard path.hasPrefix("/") else { throw Self.refused("has no file, so nothing says who may connect") }
        guard fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0 else { throw PlatformError.failed("fcntl", path, errno) }
        self.descriptor = descriptor
        self.path = try UnixSocketPath(path)
    }

    /// The socket the manager has passed, nil when it passed none to this process.
    ///
    /// Throws ``PlatformError`` with the code `malformed` for more than one, or one of another kind.
    public static func passed() throws(PlatformError) -> ActivatedSocket? {
        let count = passedCount
        guard count > 0 else { return nil }
        guard count == 1 else {
            throw PlatformError(
                .malformed, "the service manager passes \(count) sockets, and one is served",
                hint: "leave one ListenStream= in the socket unit")
        }
        return try ActivatedSocket(descriptor: firstDescriptor)
    }

    /// `SD_LISTEN_FDS_START`.
    static let firstDescriptor: CInt = 3

    /// How many descriptors the manager has passed; none when what it says is meant for another process, such as the shell
    /// that started this one.
    static var passedCount: CInt {
        guard Environment.value("LISTEN_PID").flatMap({ pid_t($0) }) == getpid(),
            let count = Environment.value("LISTEN_FDS").flatMap({ CInt($0) }), (0...1024).contains(count)
        else { return 0 }
        return count
    }

    private static func refused(_ reason: String) -> PlatformError {
        PlatformError(
            .malformed, "the socket that the service manager passes \(reason)",
            hint: "give the socket unit one ListenStream= with the path of a Unix socket, and Accept=no")
    }

    private static func reason(_ failure: CInt) -> String {
        switch failure {
        case EPROTOTYPE: "is no Unix stream socket"
        case EINVAL: "does not listen"
        default: "is none: \(systemErrorText(failure))"
        }
    }
}
