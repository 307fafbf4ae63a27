import Foundation
import Glibc
import TestSupport
import Testing

@testable import Platform

@Suite("Sockets that nobody waits for")
struct PollerTests {
    private let type = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue) | CInt(SOCK_CLOEXEC.rawValue)

    /// A connection with both ends in this process.
    private func withConnection(_ body: (_ here: StreamSocket, _ there: StreamSocket) throws -> Void) throws {
        var ends: [CInt] = [0, 0]
        let made = unsafe socketpair(AF_UNIX, type, 0, &ends)
        try #require(made == 0)
        try body(try StreamSocket(taking: ends[0]), try StreamSocket(taking: ends[1]))
    }

    /// What there is without waiting for more.
    private func events(_ poller: Poller, most: Int = Poller.most) -> [UInt64: Poller.Interest] {
        var events: [UInt64: Poller.Interest] = [:]
        let isWoken = poller.next(most, milliseconds: 0) { events[$0.number] = $0.ready }
        #expect(!isWoken)
        return events
    }

    @Test("say once that they are ready for what is waited for, and nothing else")
    func readiness() throws {
        try withConnection { here, there in
            let poller = try Poller()
            var registration = Poller.Registration()
            func wait(for interest: Poller.Interest) {
                #expect(poller.wait(for: interest, on: here, 7, &registration) && registration.interest == interest)
            }
            func expect(_ ready: Poller.Interest) {
                #expect(events(poller) == [7: ready])
                registration.disarm()
                #expect(registration.interest == [])
            }
            wait(for: .read)
            #expect(events(poller) == [:])
            guard case .done(3) = there.write([1, 2, 3], from: 0) else { return #expect(Bool(false)) }
            expect(.read)
            #expect(events(poller) == [:])
            // What is there already is said at once.
            wait(for: .read)
            expect(.read)
            wait(for: .write)
            wait(for: [.read, .write])
            expect([.read, .write])
            guard case .done([1, 2]) = here.read(atMost: 2), case .done([3]) = here.read(atMost: 2) else {
                return #expect(Bool(false))
            }
            guard case .notNow = here.read(atMost: 2) else { return #expect(Bool(false)) }
            wait(for: [.read, .write])
            expect(.write)
        }
    }

    @Test("are left to others when a thread takes but one")
    func one() throws {
        try withConnection { here, there in
            let poller = try Poller()
            var (first, second) = (Poller.Registration(), Poller.Registration())
            #expect(poller.wait(for: .write, on: here, 1, &first) && poller.wait(for: .write, on: there, 2, &second))
            #expect(events(poller, most: 1) == [1: .write])
            // Whoever is waited for again comes last.
            first.disarm()
            #expect(poller.wait(for: .write, on: here, 1, &first))
            #expect(events(poller, most: 1) == [2: .write])
            #expect(events(poller, most: 1) == [1: .write])
            #expect(events(poller, most: 1) == [:])
        }
    }

    @Test("a thread that is woken says so, as often as it was woken, also while there are events")
    func waking() throws {
        try withConnection { here, _ in
            let poller = try Poller()
            var registration = Poller.Registration()
            poller.wake(2)
            poller.wake()
            #expect(!poller.next(milliseconds: 0) { _ in })
            #expect(poller.next(1) { _ in } && poller.next(1) { _ in })
            #expect(poller.wait(for: .write, on: here, 1, &registration))
            var seen = 0
            #expect(poller.next { _ in seen += 1 })
            #expect(seen == 1)
            #expect(!poller.next(milliseconds: 0) { _ in seen += 1 } && seen == 1)
        }
    }

    @Test("say nothing while nothing is waited for, not even that they have ended")
    func nothing() throws {
        var ends: [CInt] = [0, 0]
        try #require(unsafe socketpair(AF_UNIX, type, 0, &ends) == 0)
        let poller = try Poller()
        let here = try StreamSocket(taking: ends[0])
        var registration = Poller.Registration()
        #expect(poller.wait(for: .read, on: here, 7, &registration))
        #expect(poller.wait(for: [], on: here, 7, &registration))
        // As closing does, also while a child that another test has just forked still has it open.
        shutdown(ends[1], CInt(SHUT_RDWR))
        close(ends[1])
        #expect(events(poller) == [:])
        #expect(poller.wait(for: .read, on: here, 7, &registration))
        #expect(events(poller) == [7: [.read, .write, .end]])
        // Neither once its event has come.
        registration.disarm()
        #expect(poller.wait(for: [], on: here, 7, &registration))
        #expect(events(poller) == [:])
        guard case .ended = here.read(atMost: 1), case .ended = here.write([0], from: 0) else {
            return #expect(Bool(false))
        }
    }

    @Test("tell the end of both directions from that of one, and from bytes")
    func end() throws {
        var ends: [CInt] = [0, 0]
        try #require(unsafe socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue), 0, &ends) == 0)
        let poller = try Poller()
        let here = try StreamSocket(taking: ends[0])
        var registration = Poller.Registration()
        #expect(poller.wait(for: .end, on: here, 7, &registration))
        #expect(unsafe send(ends[1], [1, 2, 3], 3, 0) == 3)
        #expect(shutdown(ends[1], CInt(SHUT_WR)) == 0)
        #expect(events(poller) == [:])
        close(ends[1])
        #expect(events(poller)[7]?.contains(.end) == true)
    }

    @Test("take what there is room for")
    func full() throws {
        try withConnection { here, there in
            let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 >> 8) }
            var (written, read) = (0, [UInt8]())
            while written < bytes.count {
                switch here.write(bytes, from: written) {
                case .done(let count): written += count
                case .notNow:
                    guard case .done(let some) = there.read(atMost: 50_000) else { return #expect(Bool(false)) }
                    read += some
                case .ended: return #expect(Bool(false))
                }
            }
            #expect(read.count > 0)
            while read.count < bytes.count, case .done(let some) = there.read(atMost: 1_000_000) { read += some }
            #expect(read == bytes)
        }
    }

    @Test("are accepted one after the other, with who is at the other end")
    func accepting() throws {
        try withTemporaryDirectory { directory in
            let path = try UnixSocketPath("\(directory)/s")
            let listening = try ListeningSocket(at: path, backlog: 4)
            guard case .nobody = listening.accept() else { return #expect(Bool(false)) }
            #expect(try path.occupancy() == .live)
            guard case .accepted(let socket) = listening.accept() else { return #expect(Bool(false)) }
            #expect(socket.credentials == .ofThisProcess)
            #expect(socket.groups.gids == socket.groups.gids.sorted())
            guard case .nobody = listening.accept() else { return #expect(Bool(false)) }
            let error = #expect(throws: PlatformError.self) { try ListeningSocket(at: path, backlog: 4) }
            #expect(error?.message.contains(path.path) == true)
        }
    }

    @Test("a process with more groups than usual has all of them read", .enabled(if: geteuid() == 0))
    func manyGroups() async {
        await #expect(processExitsWith: .success) {
            let many = (0..<300).map { gid_t(20_000 + $0) }
            try #require(unsafe setgroups(many.count, many) == 0)
            try PollerTests().withConnection { here, _ in #expect(here.groups.gids == many) }
        }
    }
}
