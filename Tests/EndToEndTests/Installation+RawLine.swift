import Foundation
import Glibc
import Testing

extension Installation {
    /// Sends one line, whatever is in it, and returns the line that the agent answers.
    func answer(to line: String) async throws -> String {
        let descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: Array(socket.utf8)) }
        let result = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe Glibc.connect(descriptor, address, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(result == 0, "the agent's socket: \(errno)")
        try handle.write(contentsOf: Data((line + "\n").utf8))
        // Reads on a thread of its own, to the end: the agent closes when it has answered who says no more.
        shutdown(descriptor, Int32(SHUT_WR))
        let reply = try await withCheckedThrowingContinuation { continuation in
            Thread { continuation.resume(with: Result { try handle.readToEnd() ?? Data() }) }.start()
        }
        try #require(!reply.isEmpty, "the agent does not answer")
        return String(decoding: reply, as: UTF8.self)
    }
}
