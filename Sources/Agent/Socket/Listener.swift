import Foundation
import NIOCore
import NIOPosix
import Platform

/// The agent's Unix socket: accepts connections and knows the open ones.
///
/// One event loop serves them all: on the machines this was measured on, a second one only costs.
final class Listener: Sendable {
    private struct State {
        var connections: [ConnectionID: Open] = [:]
        var count: UInt64 = 0
        var isClosing = false
        var whenEmpty: CheckedContinuation<Void, Never>?
    }

    private struct Open {
        let handler: Connection
        let eventLoop: any EventLoop
    }

    private let path: UnixSocketPath
    private let dispatcher: Dispatcher
    private let ended: @Sendable (ConnectionID) -> Void
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let state = Locked(State())
    private let server = Locked((any Channel)?.none)

    /// Connections that wait to be accepted.
    private static let backlog: CInt = 512

    init(path: UnixSocketPath, dispatcher: Dispatcher, ended: @escaping @Sendable (ConnectionID) -> Void) {
        self.path = path
        self.dispatcher = dispatcher
        self.ended = ended
    }

    /// Binds the socket and serves it.
    ///
    /// - Throws: `PlatformError` when a live agent serves the path, when something else is there, or when it cannot be
    ///   bound. A socket file that nobody listens on is replaced.
    func start(mode: UInt32, group gid: UInt32?) async throws {
        try path.makeFree()
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: Self.backlog)
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelInitializer { self.add($0) }
        let channel: any Channel
        do {
            channel = try await bootstrap.bind(unixDomainSocketPath: path.path).get()
        } catch {
            throw PlatformError(
                .systemCall, "cannot listen on \(path): \(error)", hint: "check that its directory exists and is writable")
        }
        server.withLock { $0 = channel }
        try FileMode.setOwner(of: path.path, gid: gid)
        try FileMode.set(mode, of: path.path)
    }

    /// Stops accepting, answers what is under way, closes every connection and removes the socket file.
    func stop() async {
        let channel = server.withLock { $0 }
        try? await channel?.close()
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
        // Not ours unless it was bound.
        if channel != nil { try? FileManager.default.removeItem(atPath: path.path) }
    }

    /// Asks the kernel who is there, before anything is read.
    private func add(_ channel: any Channel) -> EventLoopFuture<Void> {
        guard let options = channel as? any SocketOptionProvider else {
            return channel.eventLoop.makeFailedFuture(ChannelError.operationUnsupported)
        }
        let raw: EventLoopFuture<PeerCredentials.Raw> = options.unsafeGetSocketOption(
            level: .init(Int(PeerCredentials.optionLevel)), name: .init(PeerCredentials.optionName))
        return raw.flatMapThrowing { raw in
            let caller = Caller(PeerCredentials(raw))
            guard let id = self.nextID() else { throw ChannelError.alreadyClosed }
            let connection = Connection(dispatcher: self.dispatcher, id: id, caller: caller, ended: self.remove)
            self.state.withLock { $0.connections[id] = Open(handler: connection, eventLoop: channel.eventLoop) }
            try channel.pipeline.syncOperations.addHandler(connection)
        }
    }

    private func nextID() -> ConnectionID? {
        state.withLock { state in
            guard !state.isClosing else { return nil }
            state.count += 1
            return ConnectionID(number: state.count)
        }
    }

    private func remove(_ id: ConnectionID) {
        ended(id)
        let waiting = state.withLock { state -> CheckedContinuation<Void, Never>? in
            state.connections[id] = nil
            guard state.connections.isEmpty else { return nil }
            defer { state.whenEmpty = nil }
            return state.whenEmpty
        }
        waiting?.resume()
    }
}

extension UnixSocketPath {
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
