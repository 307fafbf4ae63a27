import Logging
import Platform

/// Where connections come in: accepts one at a time, and none for a while when that fails.
final class Entrance: Sendable {
    private struct State {
        /// `nil` once it is closed.
        var socket: ListeningSocket?
        var standing = Poller.Standing()
        /// Whether the log has been told that none can be accepted just now.
        var isNoted = false
    }

    /// What the poller calls the listening socket; connections have other numbers.
    static let number: UInt64 = 0

    private let poller: Poller
    private let log: Logger
    private let state: Locked<State>

    init(_ socket: ListeningSocket, _ poller: Poller, log: Logger) {
        self.poller = poller
        self.log = log
        state = Locked(State(socket: socket))
    }

    /// Accepts connections again.
    func open() {
        state.withLock { wait(for: .read, &$0) }
    }

    /// The next connection, if there is one.
    func accept() -> StreamSocket? {
        let accepted = state.withLock { state in
            state.standing.rest()
            return state.socket?.accept()
        }
        switch accepted {
        case .accepted(let connection):
            state.withLock { $0.isNoted = false }
            open()
            return connection
        case .failed(let error):
            // They wait in the kernel meanwhile: the socket would be ready for ever.
            let isNews = state.withLock { state in
                defer { state.isNoted = true }
                return !state.isNoted
            }
            if isNews {
                log.error(
                    "accepts no connections for a moment", metadata: ["reason": "\(error.message)", "hint": "\(error.hint)"])
            }
            return nil
        case .nobody, nil:
            open()
            return nil
        }
    }

    /// Accepts no more. Whoever waits is refused by the kernel, unless others hold the listening socket too.
    func close() {
        state.withLock { state in
            wait(for: [], &state)
            state.socket = nil
        }
    }

    private func wait(for interest: Poller.Interest, _ state: inout State) {
        guard let socket = state.socket else { return }
        _ = poller.wait(for: interest, on: socket, Self.number, &state.standing)
    }
}
