import FleetSupport
import Foundation
import Platform

/// A connection to a Unix socket, with calls that wait: for threads of a test.
final class Line: Sendable {
    private let descriptor: Int32

    struct Failed: Error { let number = errno }

    init(_ place: CuttableProxy.Place) throws {
        guard case .socket(let path) = place else { throw Failed() }
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard unsafe withAddress(path, { unsafe connect(descriptor, $0, $1) }) == 0 else { throw Failed() }
        // Nothing that a test waits for takes long; what does, has failed.
        var time = timeval(tv_sec: 60, tv_usec: 0)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
    }

    func write(_ text: String) throws {
        let bytes = Array(text.utf8)
        guard unsafe send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else { throw Failed() }
    }

    /// So many bytes, fewer at an end.
    func read(_ count: Int) -> String {
        var bytes = [UInt8](repeating: 0, count: count)
        let read = unsafe recv(descriptor, &bytes, count, Int32(MSG_WAITALL))
        return String(decoding: bytes.prefix(max(0, read)), as: UTF8.self)
    }

    func isReadable(within milliseconds: Int32) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return unsafe poll(&entry, 1, milliseconds) > 0
    }

    func end() { close(descriptor) }
}

/// Answers with what it hears.
final class Echo: Sendable {
    private let descriptor: Int32
    private let text = Locked("")

    var heard: String { text.withLock { $0 } }

    init(_ path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard unsafe withAddress(path, { unsafe bind(descriptor, $0, $1) }) == 0, listen(descriptor, 16) == 0 else {
            throw Line.Failed()
        }
        Thread { [descriptor, text] in
            while true {
                let connection = accept(descriptor, nil, nil)
                guard connection >= 0 else { return }
                Thread {
                    var bytes = [UInt8](repeating: 0, count: 1_000)
                    while true {
                        let count = unsafe recv(connection, &bytes, bytes.count, 0)
                        guard count > 0 else { break }
                        text.withLock { $0 += String(decoding: bytes[..<count], as: UTF8.self) }
                        _ = unsafe send(connection, bytes, count, Int32(MSG_NOSIGNAL))
                    }
                    close(connection)
                }.start()
            }
        }.start()
    }

    func end() {
        shutdown(descriptor, Int32(SHUT_RDWR))
        close(descriptor)
    }
}

private func withAddress(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: Array(path.utf8)) }
    return unsafe withUnsafePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            unsafe body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
    }
}
