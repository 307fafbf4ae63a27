import Foundation
import Platform
import TestSupport
import Testing

@Suite struct SocketTests {
    @Test("a path of 107 bytes is taken, one of 108 is refused with both numbers")
    func length() throws {
        #expect(UnixSocketPath.limit == 107)
        _ = try UnixSocketPath("/" + String(repeating: "a", count: 106))
        let error = #expect(throws: PlatformError.self) { try UnixSocketPath("/" + String(repeating: "ä", count: 54)) }
        #expect(error?.code == .tooLong)
        #expect(error?.message.contains("109 bytes") == true)
        #expect(error?.message.contains("107") == true)
    }

    @Test("an empty path and one with a NUL are refused", arguments: ["", "/run/a\0b"])
    func malformed(path: String) {
        #expect(throws: PlatformError(.malformed, "", hint: "")) { try UnixSocketPath(path) }
    }

    @Test("a live socket, a stale one, nothing, and something else are told apart")
    func occupancy() throws {
        try withTemporaryDirectory { directory in
            let path = try UnixSocketPath("\(directory)/agent.sock")
            #expect(try path.occupancy() == .absent)
            do {
                let socket = try #require(BoundSocket(path.path))
                #expect(try path.occupancy() == .live)
                // The backlog is full by now: still live.
                for _ in 0..<5 { #expect(try path.occupancy() == .live) }
                _ = socket.descriptor
            }
            #expect(try path.occupancy() == .stale)
            try FileManager.default.removeItem(atPath: path.path)
            try writeFile(path.path, "x")
            #expect(try path.occupancy() == .notASocket)
        }
    }

    @Test("a datagram socket in the way counts as live")
    func datagrams() throws {
        try withTemporaryDirectory { directory in
            let socket = try #require(BoundSocket("\(directory)/s", datagrams: true))
            #expect(try UnixSocketPath("\(directory)/s").occupancy() == .live)
            _ = socket.descriptor
        }
    }

    @Test("the peer of a socket pair is this process")
    func peer() throws {
        try withSocketPair { left, right in
            for end in [left, right] {
                let peer = try PeerCredentials(socket: end)
                #expect(peer == PeerCredentials(uid: currentUser(), gid: currentGroup(), pid: currentProcess()))
            }
        }
    }

    @Test("what is not a socket has no peer")
    func noPeer() {
        #expect(throws: PlatformError(.systemCall, "", hint: "")) { try PeerCredentials(socket: -1) }
    }

    @Test("the service manager hears each state as a datagram", arguments: [false, true])
    func notification(abstract: Bool) throws {
        try withTemporaryDirectory { directory in
            let name = abstract ? "@\(directory)/notify" : "\(directory)/notify"
            let manager = try #require(BoundSocket(name, datagrams: true))
            let notification = ServiceNotification(socket: name)
            #expect(notification.ready())
            #expect(manager.receive() == "READY=1")
            #expect(notification.status("two\nlines"))
            #expect(manager.receive() == "STATUS=two lines")
            #expect(notification.reloading())
            #expect(manager.receive()?.hasPrefix("RELOADING=1\nMONOTONIC_USEC=") == true)
            #expect(notification.keepAlive())
            #expect(manager.receive() == "WATCHDOG=1")
            #expect(notification.stopping())
            #expect(manager.receive() == "STOPPING=1")
            #expect(manager.receive() == nil)
        }
    }

    @Test("a manager that reads nothing holds nobody up")
    func deafManager() throws {
        try withTemporaryDirectory { directory in
            let manager = try #require(BoundSocket("\(directory)/notify", datagrams: true))
            let notification = ServiceNotification(socket: "\(directory)/notify")
            // More than a receiver is ever let keep (net.unix.max_dgram_qlen).
            var told = 0
            while notification.keepAlive() {
                told += 1
                try #require(told < 100_000)
            }
            #expect(told > 0)
            #expect(manager.receive() == "WATCHDOG=1")
            #expect(notification.stopping())
        }
    }

    @Test(
        "the watchdog's limit is the manager's, and for the process it names",
        arguments: [
            ("30000000", nil, 30), ("30000000", "self", 30), ("30000000", "1", nil), ("0", nil, nil), ("soon", nil, nil),
            (nil, "self", nil),
        ] as [(String?, String?, Int?)])
    func watchdog(microseconds: String?, pid: String?, seconds: Int?) {
        let pid = pid == "self" ? "\(currentProcess())" : pid
        let limit = ServiceNotification.watchdogLimit(microseconds: microseconds, pid: pid)
        #expect(limit == seconds.map { .seconds($0) })
    }

    @Test(
        "without a manager, or with one that is gone, nothing happens", arguments: [nil, "", "relative", "/nonexistent/notify"])
    func noManager(socket: String?) {
        #expect(!ServiceNotification(socket: socket).ready())
    }
}
