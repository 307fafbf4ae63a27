import Platform
import Synchronization

/// Whose sockets are served next: parties take turns, and connections inside a party. A worker that polls takes in all that is
/// ready, and serves a few.
///
/// What the poller says comes in the order it came about: a caller with many connections would have as many turns.
final class ServingTurns: Sendable {
    private enum Owner: Hashable {
        case acceptor
        case party(Party)
    }

    /// What is to be served.
    enum Guest: Sendable {
        /// Connections that come in.
        case acceptor
        case connection(Connection, ready: Poller.Interest)
    }

    private let poller: Poller
    private let turns = Locked(Turns<Owner, Guest>(limit: .max))
    /// Whether a thread has been woken for those that are left.
    private let isWakeupSent = Atomic(false)

    /// Connections that a worker serves before it looks after something else.
    private static let most = 4

    init(_ poller: Poller) {
        self.poller = poller
    }

    /// Has a connection served although its socket has said nothing. From any thread.
    func add(_ connection: Connection) {
        add(.connection(connection, ready: []))
        wake()
    }

    private func add(_ guest: Guest) {
        let owner: Owner =
            switch guest {
            case .acceptor: .acceptor
            case .connection(let connection, _): .party(connection.party)
            }
        turns.withLock { turns in
            // There is room for all.
            _ = turns.add(guest, of: owner)
        }
    }

    /// Waits until there is a guest to serve, unless there already is one, and serves.
    ///
    /// - Parameters:
    ///   - isOneOnly: the others are for other workers, which wait for them.
    ///   - milliseconds: for how long is waited at most; `nil` for as long as it takes.
    ///   - begins: called once before any guest is served.
    ///   - guest: which one an event is about; `nil` for one that has gone.
    /// - Returns: whether this thread has consumed a wakeup, whatever it was for.
    func visit(
        isOneOnly: Bool, milliseconds: Int?, begins: () -> Void, guest: (Poller.Event) -> Guest?, serve: (Guest) -> Void
    ) -> Bool {
        let isAnyLeft = count > 0
        if isAnyLeft { begins() }
        let isWoken = poller.next(
            milliseconds: isAnyLeft ? 0 : milliseconds, begins: { if !isAnyLeft { begins() } }
        ) { event in
            if let guest = guest(event) { add(guest) }
        }
        if isWoken { isWakeupSent.store(false, ordering: .relaxed) }
        // Before what may take long.
        if count > (isOneOnly ? 1 : Self.most) { wake() }
        for _ in 0..<(isOneOnly ? 1 : Self.most) {
            guard let guest = turns.withLock({ $0.next() }) else { return isWoken }
            serve(guest)
        }
        if count > 0 { wake() }
        return isWoken
    }

    private var count: Int { turns.withLock { $0.count } }

    /// Wakes a thread that waits, or the one that waits next. Once, until a thread has consumed the wakeup.
    private func wake() {
        if !isWakeupSent.exchange(true, ordering: .relaxed) { poller.wake() }
    }
}
