import Glibc
import NIOCore

extension FrontendError {
    static func cannotListen(host: String, port: Int, _ cause: any Error) -> FrontendError {
        let (reason, hint) =
            switch (cause as? IOError)?.errnoCode {
            case EADDRINUSE: ("the port is in use", "see who uses it with ss -ltnp, or set another in listen")
            case EADDRNOTAVAIL: ("no address of this machine", "set an address of this machine, or 0.0.0.0, in listen")
            case EACCES: ("permission denied", "set a port from 1024 on in listen, or grant CAP_NET_BIND_SERVICE")
            case nil where cause is SocketAddressError.UnknownHost: ("no such host", "set an IP address in listen")
            default: ("\(cause)", "check host and port in listen")
            }
        return FrontendError(
            .cannotListen, "cannot listen on \(host), port \(port): \(reason)", hint: hint, cause: cause)
    }
}
