import Foundation
import Synchronization

/// Ports for servers whose port must be known before they start.
///
/// None of those that the kernel gives to sockets of its own choice (`ip_local_port_range`, from 32768 on): any connection of
/// another test could hold such a port by the time the server wants it. And none twice in one run.
package enum FreePort {
    private static let ports = 16_384..<32_768
    /// Runs that share a machine begin at different places.
    private static let position = Mutex(Int.random(in: ports))

    /// A port of 127.0.0.1 that nobody has bound.
    package static func next() throws -> Int {
        for _ in ports {
            let port = position.withLock { position in
                defer { position = position + 1 == ports.upperBound ? ports.lowerBound : position + 1 }
                return position
            }
            if try isFree(port) { return port }
        }
        throw NoFreePort()
    }

    private static func isFree(_ port: Int) throws -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw NoFreePort() }
        defer { close(descriptor) }
        // As servers do, whose predecessors' connections may still be in TIME_WAIT.
        var reuse: Int32 = 1
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &reuse, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe bind(descriptor, address, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    package struct NoFreePort: Error {}
}
