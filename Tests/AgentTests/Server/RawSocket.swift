import AgentProtocol
import Foundation
import Glibc
import Platform

/// A client that writes whatever bytes a test wants, and reads line by line.
final class RawSocket: Sendable {
    private let handle: FileHandle
    private let unread = Locked<[UInt8]>([])

    init(_ path: String) throws {
        handle = FileHandle(fileDescriptor: try Self.connect(path), closeOnDealloc: true)
    }

    private static func connect(_ path: String) throws -> Int32 {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        let result = unsafe withSocketAddress(path) { unsafe Glibc.connect(descriptor, $0, $1) }
        guard result == 0 else {
            Glibc.close(descriptor)
            throw RawSocketError.notConnected(errno)
        }
        return descriptor
    }

    /// Returns once the kernel has taken the bytes. Writes on a thread of its own, for the agent may not read them all.
    func send(_ bytes: [UInt8]) async throws {
        try await onThread { try self.handle.write(contentsOf: Data(bytes)) }
    }

    func closeWriting() {
        _ = shutdown(handle.fileDescriptor, Int32(SHUT_WR))
    }

    /// Sends a line and returns the reply that comes next.
    func ask(_ line: String) async throws -> JSONValue {
        try await send(Array(line.utf8) + [UInt8(ascii: "\n")])
        return try await reply()
    }

    /// The next line. Reads on a thread of its own.
    func reply() async throws -> JSONValue {
        try JSONValue(parsing: try await onThread { try self.line() })
    }

    private func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            Thread { continuation.resume(with: Result { try body() }) }.start()
        }
    }

    private func line() throws -> [UInt8] {
        while true {
            let line = unread.withLock { unread -> [UInt8]? in
                guard let end = unread.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
                defer { unread.removeFirst(end + 1) }
                return Array(unread[..<end])
            }
            if let line { return line }
            // Not by FileHandle, which ends the process when the other side has reset the connection.
            var more = [UInt8](repeating: 0, count: 65_536)
            let count = unsafe read(handle.fileDescriptor, &more, more.count)
            guard count > 0 else { throw RawSocketError.ended }
            unread.withLock { $0 += more.prefix(count) }
        }
    }
}

enum RawSocketError: Error {
    case notConnected(Int32)
    case ended
}

/// Leaves a socket file on which nobody listens.
func leaveStaleSocket(at path: String) throws {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    defer { close(descriptor) }
    let result = unsafe withSocketAddress(path) { unsafe bind(descriptor, $0, $1) }
    guard result == 0 else { throw RawSocketError.notConnected(errno) }
}

private func withSocketAddress<Result>(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: Array(path.utf8)) }
    let size = socklen_t(MemoryLayout<sockaddr_un>.size)
    return unsafe withUnsafePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe body($0, size) }
    }
}
