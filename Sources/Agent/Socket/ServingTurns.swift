import Platform
import Synchronization

/// Whose sockets are served next: parties take turns, and connections inside a party. Who comes to the sockets takes in all that
/// is ready, and serves a few.
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
    /// Whether a thread has been called for those that are left.
    private let isCalled = Atomic(false)

    /// Connections that are served before whoever does so looks after something else.
    private static let most = 4

    init(_ poller: Poller) {
        self.poller = poller
    }

    /// Has a connection served although its socket has said nothing. From any thread.
    func add(_ connection: Connection) {
        add(.connection(connection, ready: []))
        call()
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

    /// Waits until there is somebody to serve, unless there already is, and does so.
    ///
    /// - Parameters:
    ///   - isOneOnly: the others are for other threads, which wait for them.
    ///   - milliseconds: for how long is waited at most; `nil` for as long as it takes.
    ///   - begins: called once before anybody is served.
    ///   - guest: whom an event is about; `nil` for one who has gone.
    /// - Returns: whether this thread has been called, by whomever.
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
        if isWoken { isCalled.store(false, ordering: .relaxed) }
        // Before what may take long.
        if count > (isOneOnly ? 1 : Self.most) { call() }
        for _ in 0..<(isOneOnly ? 1 : Self.most) {
            guard let guest = turns.withLock({ $0.next() }) else { return isWoken }
            serve(guest)
        }
        if count > 0 { call() }
        return isWoken
    }

    private var count: Int { turns.withLock { $0.count } }

    /// Has a thread come that waits, or the one that waits next. Once, until somebody has heard it.
    private func call() {
        if !isCalled.exchange(true, ordering: .relaxed) { poller.wake() }
    }
}
