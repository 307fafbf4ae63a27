import Glibc
import Testing

/// A Unix stream socket that is bound to `path` and does not listen.
func bindSocket(at path: String) throws -> CInt {
    let descriptor = try unixSocket()
    let result = unsafe withAddress(path) { address, size in unsafe bind(descriptor, address, size) }
    try #require(result == 0)
    return descriptor
}

/// A listener whose backlog is full, so that whoever connects gets `EAGAIN`, until it is emptied.
final class FullListener: Sendable {
    private let descriptor: CInt
    private let waiting: [CInt]

    init(at path: String) throws {
        descriptor = try bindSocket(at: path)
        try #require(listen(descriptor, 0) == 0)
        var waiting: [CInt] = []
        repeat {
            waiting.append(try unixSocket())
        } while unsafe withAddress(path) { address, size in unsafe connect(waiting.last!, address, size) } == 0
        try #require(errno == EAGAIN && waiting.count > 1)
        self.waiting = waiting
    }

    /// Takes everyone who waits.
    func empty() {
        for _ in waiting.dropLast() { close(accept(descriptor, nil, nil)) }
    }

    deinit {
        waiting.forEach { close($0) }
        close(descriptor)
    }
}

private func unixSocket() throws -> CInt {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
    try #require(descriptor >= 0)
    return descriptor
}

private func withAddress(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> CInt) -> CInt {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: Array(path.utf8)) }
    return unsafe withUnsafePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            unsafe body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
    }
}
