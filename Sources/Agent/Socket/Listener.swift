import AgentProtocol
import Foundation
import Logging
import Platform

/// The agent's Unix socket: makes it or takes it over, serves the clients that connect, and lets it go.
final class Listener: Sendable {
    /// What there is while the socket is served.
    private struct Service: Sendable {
        let acceptor: Acceptor
        /// Says that the socket is ours to remove; one of the service manager's is not.
        let lock: FileLock?
        let thread: SocketThread
        /// Does once a second what time brings.
        let ticker: Task<Void, Never>
    }

    private let path: UnixSocketPath
    /// Those that poll the sockets.
    private let workers: any IdleWorkers
    let connections: Connections
    private let log: Logger
    private let service = Locked(Service?.none)

    /// Connections that wait to be accepted.
    private static let backlog: CInt = 4_096
    private static let tick = Duration.seconds(1)
    /// How long an ending agent waits for callers to take their replies.
    private static let closeTimeout = Duration.seconds(5)

    init(_ path: UnixSocketPath, connections: Connections, workers: any IdleWorkers, log: Logger) {
        self.path = path
        self.workers = workers
        self.connections = connections
        self.log = log
    }

    /// Binds the socket and serves it.
    ///
    /// - Throws: `PlatformError` when others could put a socket of their own there, when a live agent serves the path, when
    ///   something else is there, or when it cannot be bound. A socket file that no process listens on is replaced.
    func start(mode: UInt32, group gid: UInt32?) throws {
        try path.checkDirectory()
        let lock = try path.lock()
        try path.makeFree()
        let socket = try ListeningSocket(at: path, backlog: Self.backlog)
        do {
            try FileMode.setOwner(of: path.path, gid: gid)
            try FileMode.set(mode, of: path.path)
            try path.check(mode: mode)
            try serve(socket, lock)
        } catch {
            removeFile()
            throw error
        }
    }

    private func removeFile() {
        try? FileManager.default.removeItem(atPath: path.path)
    }

    /// Serves a socket that the service manager has made and goes on to own: its file is neither changed nor removed.
    ///
    /// - Throws: `PlatformError` when others could put a socket of their own in its place.
    func start(on socket: ActivatedSocket) throws {
        try socket.path.checkDirectory()
        try serve(try ListeningSocket(socket), nil)
    }

    private func serve(_ socket: ListeningSocket, _ lock: FileLock?) throws {
        let poller = try Poller()
        let acceptor = Acceptor(socket, poller, log: log)
        let turns = ServingTurns(poller)
        let thread = SocketThread(poller, workers, turns) { [connections] event in
            if event.number == Acceptor.number { return .acceptor }
            return connections[event.number].map { .connection($0, ready: event.ready) }
        } serve: { [connections] guest in
            switch guest {
            case .acceptor: acceptor.accept { connections.admit($0, poller, turns) }
            case .connection(let connection, let ready): connection.serve(ready)
            }
        }
        acceptor.resume()
        let ticker = every(Self.tick) { [connections] in
            acceptor.resume()
            connections.closeIfIdle()
        }
        service.withLock { $0 = Service(acceptor: acceptor, lock: lock, thread: thread, ticker: ticker) }
    }

    /// Returns once the sockets have been looked at since the call, or when the task is cancelled.
    func heartbeat() async {
        await service.withLock { $0 }?.thread.heartbeat()
    }

    /// Stops accepting, answers what is under way, closes every connection and removes the socket file it has made.
    func stop() async {
        guard let service = service.withLock({ $0 }) else { return }
        // Before it is closed, so that what is removed cannot be another agent's.
        if service.lock != nil { removeFile() }
        service.ticker.cancel()
        service.acceptor.close()
        await connections.close(within: Self.closeTimeout)
        await service.thread.stop()
        self.service.withLock { $0 = nil }
    }
}

extension UnixSocketPath {
    /// Makes this process the only one that may remove or bind the socket file.
    fileprivate func lock() throws(PlatformError) -> FileLock {
        do throws(PlatformError) {
            return try FileLock(path: path + ".lock")
        } catch {
            guard error.code == .locked else { throw error }
            throw PlatformError(
                .locked, "an agent already serves \(path): \(error.message)",
                hint: "stop it first, or configure another socket path")
        }
    }

    /// Refuses a socket whose file has another mode than it was given, which some file systems do in silence.
    fileprivate func check(mode: UInt32) throws(PlatformError) {
        let actual = try FileMode.of(path)
        guard actual == mode else {
            throw PlatformError(
                .exposed, "the socket \(path) has mode \(FileMode.text(actual)) after chmod \(FileMode.text(mode))",
                hint: "put it on a file system that keeps modes, such as below /run")
        }
    }

    /// Makes way for a socket file, unless another process uses the one that is there.
    fileprivate func makeFree() throws(PlatformError) {
        switch try occupancy() {
        case .absent:
            break
        case .stale:
            try? FileManager.default.removeItem(atPath: path)
        case .live:
            throw PlatformError(
                .locked, "an agent already serves \(path)", hint: "stop it first, or configure another socket path")
        case .notASocket:
            throw PlatformError(
                .malformed, "\(path) exists and is not a socket", hint: "remove it, or configure another socket path")
        }
    }
}
