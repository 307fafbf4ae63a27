import CPlatform
import Glibc

/// Tells threads which of many sockets have something to do (epoll(7)).
///
/// Each event goes to one of the threads that wait, and nothing more is said of a socket until it is waited for again
/// (`EPOLLONESHOT`). What is there when the waiting begins is said at once. Waiting for something else while an event is on
/// its way may bring a second thread: who serves the socket is for its owner to decide.
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
        /// That the other side has closed both directions, whatever it sent before, or the connection is broken.
        public static let end = Interest(rawValue: UInt8(PRIVYSEAL_END))
    }

    /// What can be done on a socket; for one that is broken, everything.
    public struct Event: Sendable {
        /// The number the socket was added with.
        public let number: UInt64
        public let ready: Interest
    }

    /// How a socket stands with the poller, kept by whoever owns the socket.
    public struct Registration: Sendable {
        /// What is waited for.
        public fileprivate(set) var interest: Interest = []
        fileprivate var isKnown = false

        public init() {}

        /// To be called when an event has come: nothing is waited for any more.
        public mutating func disarm() {
            interest = []
        }
    }

    private let poller: CInt
    /// Lets waiting threads come round.
    private let bell: CInt
    /// What the bell is called among the sockets.
    private static let bellNumber = UInt64.max
    /// Events that a thread takes at a time at most.
    public static let most = 64

    public init() throws(PlatformError) {
        // Assigned last: from then on they are closed by the end of the object.
        let poller = privyseal_poller()
        guard poller >= 0 else { throw Self.failed("epoll_create1", -poller) }
        let bell = privyseal_poller_add_bell(poller, Self.bellNumber)
        guard bell >= 0 else {
            close(poller)
            throw Self.failed("eventfd", -bell)
        }
        self.poller = poller
        self.bell = bell
    }

    deinit {
        close(bell)
        close(poller)
    }

    /// Waits for something else on a connection, or for nothing any more. From any thread.
    ///
    /// - Parameter number: what its events are to be called: not `UInt64.max`.
    /// - Returns: whether the kernel has room for it.
    public func wait(for interest: Interest, on socket: StreamSocket, _ number: UInt64, _ registration: inout Registration)
        -> Bool
    {
        wait(for: interest, socket.descriptor, number, &registration)
    }

    /// As for a connection, for the connections that come to a socket.
    public func wait(for interest: Interest, on socket: ListeningSocket, _ number: UInt64, _ registration: inout Registration)
        -> Bool
    {
        wait(for: interest, socket.descriptor, number, &registration)
    }

    private func wait(for interest: Interest, _ descriptor: CInt, _ number: UInt64, _ registration: inout Registration) -> Bool {
        guard interest != registration.interest else { return true }
        guard privyseal_poller_change(poller, descriptor, number, registration.isKnown, interest.rawValue) == 0 else {
            return false
        }
        registration.isKnown = !interest.isEmpty
        registration.interest = interest
        return true
    }

    /// Waits until there is something to do, `wake()` is called, or the time is over, and has it done.
    ///
    /// - Parameters:
    ///   - most: how many events are taken, 64 at most; the others are for other threads.
    ///   - milliseconds: for how long is waited at most; `nil` for as long as it takes.
    ///   - begins: called once before there is something to do.
    /// - Returns: whether this thread has come round for a call of `wake()`. One that does not wait leaves these to others.
    public func next(
        _ most: Int = most, milliseconds: Int? = nil, begins: () -> Void = {}, _ body: (Event) -> Void
    ) -> Bool {
        unsafe withUnsafeTemporaryAllocation(of: privyseal_ready.self, capacity: Self.most) { ready in
            let count = unsafe privyseal_poller_wait(
                poller, ready.baseAddress, CInt(min(most, Self.most)), CInt(milliseconds ?? -1))
            var isWoken = false
            if count > 0 { begins() }
            for place in 0..<max(Int(count), 0) {
                let one = unsafe ready[place]
                if one.number == Self.bellNumber {
                    if milliseconds != 0 { isWoken = privyseal_bell_take(bell) }
                } else {
                    body(Event(number: one.number, ready: Interest(rawValue: one.interest)))
                }
            }
            return isWoken
        }
    }

    /// Has so many waiting threads come round, or those that wait next.
    public func wake(_ threads: Int = 1) {
        privyseal_bell_ring(bell, UInt64(threads))
    }

    private static func failed(_ function: String, _ number: CInt) -> PlatformError {
        PlatformError(
            .systemCall, "\(function): \(systemErrorText(number))", hint: "see errno \(number) in the manual page of \(function)")
    }
}
