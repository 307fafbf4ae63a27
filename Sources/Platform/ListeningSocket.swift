import CPlatform
import Glibc

/// A Unix stream socket that others connect to. Nobody waits for it. Closed with its last use.
public final class ListeningSocket: Sendable {
    let descriptor: CInt

    /// Makes the socket file and listens there.
    ///
    /// - Parameter backlog: connections that wait to be accepted.
    public init(at path: UnixSocketPath, backlog: CInt) throws(PlatformError) {
        let result = unsafe privyseal_listen(path.path, backlog)
        guard result >= 0 else {
            throw PlatformError(
                .systemCall, "cannot listen on \(path): \(systemErrorText(-result))",
                hint: "check that its directory exists and is writable")
        }
        descriptor = result
    }

    /// Takes over the socket that the service manager has made.
    public init(_ socket: ActivatedSocket) throws(PlatformError) {
        let failure = privyseal_never_wait(socket.descriptor)
        guard failure == 0 else {
            throw PlatformError(
                .systemCall, "cannot serve \(socket.path): \(systemErrorText(failure))",
                hint: "restart the socket unit, and then the agent")
        }
        descriptor = socket.descriptor
    }

    deinit {
        close(descriptor)
    }

    /// What came of an attempt to accept a connection.
    public enum Acceptance {
        case accepted(StreamSocket)
        /// Nobody waits.
        case nobody
        /// Who waited has gone.
        case gone
        /// It cannot be done now, such as for want of descriptors: it may be later.
        case failed(PlatformError)
    }

    /// Accepts the connection that has waited longest.
    public func accept() -> Acceptance {
        let result = privyseal_accept(descriptor)
        guard result < 0 else {
            do throws(PlatformError) {
                return .accepted(try StreamSocket(taking: result))
            } catch {
                return .gone
            }
        }
        switch -result {
        case EAGAIN: return .nobody
        case ECONNABORTED: return .gone
        case let number:
            let isShort = number == EMFILE || number == ENFILE
            return .failed(
                PlatformError(
                    .systemCall, "accept: \(systemErrorText(number))",
                    hint: isShort
                        ? "give the process more file descriptors (LimitNOFILE=)"
                        : "see errno \(number) in the manual page of accept"))
        }
    }
}
