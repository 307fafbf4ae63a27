import Logging
import Platform

/// Accepts connections: some at a time, so that one caller cannot keep the kernel's line full, and none for a while when that
/// fails.
final class Acceptor: Sendable {
    private struct State {
        /// `nil` once it is closed.
        var socket: ListeningSocket?
        var registration = Poller.Registration()
        /// Whether the log has been told that none can be accepted just now.
        var isNoted = false
    }

    /// What the poller calls the listening socket; connections have other numbers.
    static let number: UInt64 = 0
    /// Connections that are accepted before it is the turn of those that are open.
    private static let most = 64

    private let poller: Poller
    private let log: Logger
    /// Nothing else is locked with it. accept(2) and epoll_ctl(2), which are called with it locked, never wait here.
    private let state: Locked<State>

    init(_ socket: ListeningSocket, _ poller: Poller, log: Logger) {
        self.poller = poller
        self.log = log
        state = Locked(State(socket: socket))
    }

    /// Has the poller say when a connection waits to be accepted, as at first, after some have been, and a while after that failed.
    func resume() {
        state.withLock { wait(for: .read, &$0) }
    }

    /// Accepts the next connections, one after the other, until none waits or it is the turn of those that are open.
    func accept(_ body: (StreamSocket) -> Void) {
        state.withLock { $0.registration.disarm() }
        for _ in 0..<Self.most {
            switch state.withLock({ $0.socket?.accept() }) {
            case .accepted(let connection):
                state.withLock { $0.isNoted = false }
                body(connection)
            case .failed(let error):
                // Connections wait in the kernel meanwhile: the socket would be ready for ever.
                return note(error)
            case .gone: continue
            case .nobody, nil: return resume()
            }
        }
        resume()
    }

    private func note(_ error: PlatformError) {
        let isNews = state.withLock { state in
            defer { state.isNoted = true }
            return !state.isNoted
        }
        if isNews {
            log.error("accepts no connections for a moment", metadata: ["reason": "\(error.message)", "hint": "\(error.hint)"])
        }
    }

    /// Accepts no more. The kernel refuses a caller that waits, unless another process holds the listening socket too.
    func close() {
        state.withLock { state in
            wait(for: [], &state)
            state.socket = nil
        }
    }

    private func wait(for interest: Poller.Interest, _ state: inout State) {
        guard let socket = state.socket else { return }
        _ = poller.wait(for: interest, on: socket, Self.number, &state.registration)
    }
}
