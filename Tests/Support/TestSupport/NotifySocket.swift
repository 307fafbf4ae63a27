import Foundation

/// What a service manager listens on (sd_notify(3)).
package final class NotifySocket {
    package let path: String
    private let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)

    private struct NotBound: Error {}

    /// Listens at a path, where nothing is yet.
    package init(_ path: String) throws {
        self.path = path
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: Array(path.utf8)) }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let result = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe bind(descriptor, $0, size) }
        }
        guard result == 0 else { throw NotBound() }
    }

    /// The messages that have come since, first lines only.
    package func received() -> [String] {
        var messages: [String] = []
        var buffer = [UInt8](repeating: 0, count: 1000)
        while true {
            let count = unsafe recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            guard count >= 0 else { return messages }
            let text = String(decoding: buffer[..<count], as: UTF8.self)
            messages.append(String(text.prefix { $0 != "\n" }))
        }
    }

    deinit {
        close(descriptor)
        try? FileManager.default.removeItem(atPath: path)
    }
}
