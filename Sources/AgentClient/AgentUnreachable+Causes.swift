import Glibc
import NIOCore
import Platform

extension AgentUnreachable {
    /// Why connecting to `path` failed.
    static func connecting(to path: String, _ error: any Error) -> AgentUnreachable {
        switch error {
        case let error as PlatformError:
            return AgentUnreachable(.pathInvalid, path: path, message: error.message, hint: error.hint, cause: error)
        case let error as IOError:
            return connecting(to: path, errno: error.errnoCode, error)
        default:
            return AgentUnreachable(
                .connectFailed, path: path, message: "cannot connect to \(path): \(error)",
                hint: "see whether privyseald answers: systemctl status privyseald", cause: error)
        }
    }

    private static func connecting(to path: String, errno: CInt, _ error: IOError) -> AgentUnreachable {
        switch errno {
        case ENOENT, ENOTDIR:
            AgentUnreachable(
                .socketMissing, path: path, message: "there is no socket at \(path)",
                hint: "start privyseald, or name its socket with --socket or PRIVYSEAL_SOCKET", cause: error)
        case ECONNREFUSED, EPROTOTYPE, ENOTSOCK:
            AgentUnreachable(
                .refused, path: path, message: "nobody answers at \(path)",
                hint: "privyseald is not running, or this is not its socket: start it", cause: error)
        case EAGAIN:
            AgentUnreachable(
                .busy, path: path, message: "too many connections wait at \(path) already",
                hint: "try again; see who connects so often with ss -xp, and whether privyseald takes connections", cause: error)
        case EACCES, EPERM:
            AgentUnreachable(
                .permissionDenied, path: path, message: "this user may not connect to \(path)",
                hint: "join the socket's group (log in again after that), or run as a user who may", cause: error)
        default:
            AgentUnreachable(
                .connectFailed, path: path, message: "cannot connect to \(path): \(error)",
                hint: "see whether privyseald answers: systemctl status privyseald", cause: error)
        }
    }

    /// What a call under way gets when the connection ends.
    static func connectionLost(_ path: String, _ cause: (any Error)?) -> AgentUnreachable {
        AgentUnreachable(
            .connectionLost, path: path, message: "the connection to \(path) ended before the reply; the outcome is unknown",
            hint: "look at the issuer's generation before repeating a change", cause: cause)
    }

    /// What a caller that waits no longer may make of it. `what` is a method, or what else there was no answer to.
    public static func noReply(to what: String, within limit: Duration, path: String) -> AgentUnreachable {
        AgentUnreachable(
            .noReply, path: path, message: "the agent at \(path) did not answer \(what) within \(limit)",
            hint: "see whether it hangs: systemctl status privyseald; a change that was asked for may be made all the same")
    }

    /// What a call gets that comes after the connection ended.
    static func connectionClosed(_ path: String, _ cause: (any Error)?) -> AgentUnreachable {
        AgentUnreachable(
            .connectionClosed, path: path, message: "the connection to \(path) has ended; the request was not sent",
            hint: "connect again", cause: cause)
    }

    /// What calls under way get when the other end does not speak the protocol.
    static func malformedReply(_ path: String, _ message: String, _ cause: (any Error)?) -> AgentUnreachable {
        AgentUnreachable(
            .malformedReply, path: path, message: "\(message) (from \(path)); the outcome is unknown",
            hint: "see whether this is privyseald's socket, and of a release that fits this client", cause: cause)
    }
}
