import CPlatform
import Glibc

/// Tells one thread which of many sockets have something to do (epoll(7), level-triggered).
public final class Poller: Sendable {
    /// What is waited for on a socket. With none of it the socket is not looked at, not even for its end.
    public struct Interest: OptionSet, Sendable {
        public let rawValue: UInt8

        public init(rawValue: UInt8) {
            self.rawValue = rawValue
        }

        /// Bytes to read, a connection to accept, or the end.
        public static let read = Interest(rawValue: UInt8(PRIVYSEAL_READ))
        /// Room to write.
        public static let write = Interest(rawValue: UInt8(PRIVYSEAL_WRITE))
    }

    /// What can be done on a socket; for one that is broken, reading and writing.
    public struct Event: Sendable {
        /// The number the socket was added with.
        public let number: UInt64
        public let ready: Interest
    }

    private let poller: CInt
    /// Makes the waiting thread come round.
    private let bell: CInt
    /// Events that the thread before has left to the next.
    private let left = Locked<[Event]>([])
    /// What the bell is called among the sockets.
    private static let bellNumber = UInt64.max
    /// Events taken at a time.
    private static let most = 64

    public init() throws(PlatformError) {
        // Assigned last: from then on they are closed by the end of the object.
        let poller = privyseal_poller()
        guard poller >= 0 else { throw Self.failed("epoll_create1", -poller) }
        let bell = privyseal_bell()
        guard bell >= 0 else {
            close(poller)
            throw Self.failed("eventfd", -bell)
        }
        let failure = privyseal_poller_change(poller, bell, Self.bellNumber, 0, Interest.read.rawValue)
        guard failure == 0 else {
            close(bell)
            close(poller)
            throw Self.failed("epoll_ctl", failure)
        }
        self.poller = poller
        self.bell = bell
    }

    deinit {
        close(bell)
        close(poller)
    }

    /// Changes what is waited for on a connection, from any thread.
    ///
    /// - Parameters:
    ///   - number: what its events are to be called: not `UInt64.max`.
    ///   - before: what was waited for until now; nothing for a socket that is new.
    /// - Returns: whether the kernel has room for it.
    public func wait(for interest: Interest, on socket: StreamSocket, _ number: UInt64, insteadOf before: Interest) -> Bool {
        change(socket.descriptor, number, interest, before)
    }

    /// As for a connection, for the connections that come to a socket.
    public func wait(for interest: Interest, on socket: ListeningSocket, _ number: UInt64, insteadOf before: Interest) -> Bool {
        change(socket.descriptor, number, interest, before)
    }

    private func change(_ descriptor: CInt, _ number: UInt64, _ interest: Interest, _ before: Interest) -> Bool {
        interest == before || privyseal_poller_change(poller, descriptor, number, before.rawValue, interest.rawValue) == 0
    }

    /// Waits until there is something to do, or `wake()` is called, and has it done. On one thread at a time.
    ///
    /// - Parameter body: returns whether to go on with what else there is; the next call begins with that otherwise, so that
    ///   nobody comes last again and again.
    public func next(_ body: (Event) -> Bool) {
        let left = left.withLock { left in
            defer { left = [] }
            return left
        }
        guard left.isEmpty else { return serve(left.count, { left[$0] }, body) }
        unsafe withUnsafeTemporaryAllocation(of: privyseal_ready.self, capacity: Self.most) { ready in
            let count = unsafe privyseal_poller_wait(poller, ready.baseAddress, CInt(Self.most))
            serve(
                max(Int(count), 0),
                { place in
                    let one = unsafe ready[place]
                    return Event(number: one.number, ready: Interest(rawValue: one.interest))
                }, body)
        }
    }

    private func serve(_ count: Int, _ event: (Int) -> Event, _ body: (Event) -> Bool) {
        for place in 0..<count {
            if event(place).number == Self.bellNumber {
                privyseal_bell_hush(bell)
            } else if !body(event(place)) {
                return left.withLock { $0 = (place + 1..<count).map(event) }
            }
        }
    }

    /// Has the waiting thread come round.
    public func wake() {
        privyseal_bell_ring(bell)
    }

    private static func failed(_ function: String, _ number: CInt) -> PlatformError {
        PlatformError(
            .systemCall, "\(function): \(systemErrorText(number))", hint: "see errno \(number) in the manual page of \(function)")
    }
}
