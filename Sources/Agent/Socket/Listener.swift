import AgentProtocol
import Foundation
import Logging
import NIOCore
import NIOPosix
import Platform

/// The agent's Unix socket: accepts connections and knows the open ones.
///
/// One event loop serves them all: on the machines this was measured on, a second one only costs.
final class Listener: Sendable {
    private struct State {
        var connections: [ConnectionID: Open] = [:]
        /// Connections by user.
        var users: [UInt32: Int] = [:]
        /// Users of whose refusal the log has been told. One that keeps trying must not fill it.
        var refusedUsers: Set<UInt32> = []
        var count: UInt64 = 0
        var isClosing = false
        var whenEmpty: CheckedContinuation<Void, Never>?
    }

    private struct Open {
        let handler: Connection
        let uid: UInt32
        let eventLoop: any EventLoop
    }

    private let path: UnixSocketPath
    private let limits: ConnectionLimits
    private let dispatcher: Dispatcher
    private let waker: LoopWaker
    private let feed: ChangeFeed
    private let log: Logger
    private let names: UserNames
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let state = Locked(State())
    /// The bound socket, and the lock that says it is ours to remove; a socket of the service manager's is not.
    private let server = Locked((channel: any Channel, lock: FileLock?)?.none)

    /// Connections that wait to be accepted.
    private static let backlog: CInt = 512
    /// Bytes read from a connection before it is the next one's turn: some requests of the usual size.
    private static let turn = 1_024

    init(
        path: UnixSocketPath, limits: ConnectionLimits, names: UserNames, dispatcher: Dispatcher, waker: LoopWaker,
        feed: ChangeFeed, log: Logger
    ) {
        self.names = names
        self.path = path
        self.limits = limits
        self.log = log
        self.dispatcher = dispatcher
        self.waker = waker
        self.feed = feed
    }

    /// Binds the socket and serves it.
    ///
    /// - Throws: `PlatformError` when others could put a socket of their own there, when a live agent serves the path, when
    ///   something else is there, or when it cannot be bound. A socket file that nobody listens on is replaced.
    func start(mode: UInt32, group gid: UInt32?) async throws {
        try path.checkDirectory()
        let lock = try path.lock()
        try path.makeFree()
        let channel: any Channel
        do {
            channel = try await bootstrap.bind(unixDomainSocketPath: path.path).get()
        } catch {
            throw PlatformError(
                .systemCall, "cannot listen on \(path): \(error)", hint: "check that its directory exists and is writable")
        }
        server.withLock { $0 = (channel, lock) }
        try FileMode.setOwner(of: path.path, gid: gid)
        try FileMode.set(mode, of: path.path)
        try path.check(mode: mode)
    }

    /// Serves a socket that the service manager has made and goes on to own: its file is neither changed nor removed.
    ///
    /// - Throws: `PlatformError` when others could put a socket of their own in its place.
    func start(on socket: ActivatedSocket) async throws {
        try socket.path.checkDirectory()
        let channel: any Channel
        do {
            channel = try await bootstrap.withBoundSocket(socket.descriptor).get()
        } catch {
            throw PlatformError(
                .systemCall, "cannot serve \(path): \(error)", hint: "restart the socket unit, and then the agent")
        }
        server.withLock { $0 = (channel, nil) }
    }

    private var bootstrap: ServerBootstrap {
        ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: Self.backlog)
            .serverChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(.autoRead, value: false)
            // One small read, then the next connection: whoever sends much at once waits between.
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: Self.turn))
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { self.add($0) }
    }

    /// Returns once the event loop has come round since the call.
    func goneOn() async throws {
        try await group.next().submit {}.get()
    }

    /// Stops accepting, answers what is under way, closes every connection and removes the socket file it has made.
    func stop() async {
        let bound = server.withLock { $0 }
        // Before it is closed, so that what is removed cannot be another agent's.
        if bound?.lock != nil { try? FileManager.default.removeItem(atPath: path.path) }
        try? await bound?.channel.close()
        let open = state.withLock { state in
            state.isClosing = true
            return Array(state.connections.values)
        }
        for connection in open { connection.eventLoop.execute { connection.handler.finish() } }
        await withCheckedContinuation { continuation in
            let isEmpty = state.withLock { state in
                if !state.connections.isEmpty { state.whenEmpty = continuation }
                return state.connections.isEmpty
            }
            if isEmpty { continuation.resume() }
        }
        try? await group.shutdownGracefully()
        server.withLock { $0 = nil }
    }

    /// Asks the kernel who is there, before anything is read.
    private func add(_ channel: any Channel) -> EventLoopFuture<Void> {
        guard let options = channel as? any SocketOptionProvider else {
            return channel.eventLoop.makeFailedFuture(ChannelError.operationUnsupported)
        }
        let raw: EventLoopFuture<PeerCredentials.Raw> = options.unsafeGetSocketOption(
            level: .init(Int(PeerCredentials.optionLevel)), name: .init(PeerCredentials.optionName))
        let groups: EventLoopFuture<PeerGroups.Raw> = options.unsafeGetSocketOption(
            level: .init(Int(PeerCredentials.optionLevel)), name: .init(PeerGroups.optionName))
        let eventLoop = channel.eventLoop
        return raw.and(groups).flatMap { [names] raw, groups in
            let credentials = PeerCredentials(raw)
            return names.name(of: credentials.uid, on: eventLoop)
                .map { Caller(credentials, PeerGroups(groups), user: $0) }
        }.flatMapThrowing { caller in
            if let refusal = self.refusal(of: caller) {
                if self.state.withLock({ $0.refusedUsers.insert(caller.uid).inserted }) {
                    self.log.notice("refuses connections", metadata: ["caller": "\(caller)", "reason": "\(refusal.message)"])
                }
                return try channel.pipeline.syncOperations.addHandler(RefusedConnection(refusal))
            }
            let (id, connection) = try self.admit(caller, channel.eventLoop)
            do {
                try channel.pipeline.syncOperations.addHandler(connection)
            } catch {
                self.remove(id)
                throw error
            }
        }
    }

    /// Why this connection is one too many; `nil` when it is not.
    private func refusal(of caller: Caller) -> ProtocolError? {
        let allowed = dispatcher.gate.connectionLimit(caller) ?? limits.perUser
        let (all, own) = state.withLock { ($0.connections.count, $0.users[caller.uid, default: 0]) }
        let hint = "close connections that are not needed, or try again in a moment"
        if own >= allowed {
            return ProtocolError(.rateLimited, "uid \(caller.uid) has \(allowed) connections already", hint: hint)
        }
        if all >= limits.total {
            return ProtocolError(.rateLimited, "the agent has \(limits.total) connections already", hint: hint)
        }
        return nil
    }

    private func admit(_ caller: Caller, _ eventLoop: any EventLoop) throws -> (ConnectionID, Connection) {
        try state.withLock { state in
            guard !state.isClosing else { throw ChannelError.alreadyClosed }
            state.count += 1
            let id = ConnectionID(number: state.count)
            let connection = Connection(
                dispatcher: dispatcher, waker: waker, id: id, caller: caller, idle: .seconds(Int64(limits.idleSeconds)),
                isWatching: { [feed] in feed.isWatching(id) }
            ) { [weak self] in self?.remove($0) }
            state.connections[id] = Open(handler: connection, uid: caller.uid, eventLoop: eventLoop)
            state.users[caller.uid, default: 0] += 1
            feed.connected(id)
            return (id, connection)
        }
    }

    private func remove(_ id: ConnectionID) {
        feed.disconnected(id)
        let waiting = state.withLock { state -> CheckedContinuation<Void, Never>? in
            if let ended = state.connections.removeValue(forKey: id) {
                let left = state.users[ended.uid, default: 1] - 1
                state.users[ended.uid] = left > 0 ? left : nil
                if left <= 0 { state.refusedUsers.remove(ended.uid) }
            }
            guard state.connections.isEmpty else { return nil }
            defer { state.whenEmpty = nil }
            return state.whenEmpty
        }
        waiting?.resume()
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

    /// Makes way for a socket file, unless somebody uses the one that is there.
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
