public import AgentProtocol
public import NIOCore
import NIOPosix
import Platform

/// A connection to the agent's socket. Any number of calls may be under way on it; replies come in any order.
///
/// It does not reconnect. Close it with ``close()``; the last reference to it closes it as well.
public final class AgentConnection: Sendable {
    /// The socket's path.
    public let socketPath: String

    private let channel: any Channel
    private let connection: NIOLoopBound<ConnectionHandler>

    private init(socketPath: String, channel: any Channel, connection: NIOLoopBound<ConnectionHandler>) {
        self.socketPath = socketPath
        self.channel = channel
        self.connection = connection
    }

    deinit {
        channel.close(promise: nil)
    }

    /// Connects to the socket at `socketPath`.
    ///
    /// A backlog that is full, which a Unix socket says at once with `EAGAIN` (connect(2)), is tried again after short pauses.
    ///
    /// - Parameters:
    ///   - group: Runs the connection; NIO's own singleton unless given.
    ///   - patience: How long all these pauses may be together. Cancelling the task ends them as well.
    /// - Throws: ``AgentUnreachable``; with the code `busy` when the backlog was full to the end.
    public static func connect(
        socketPath: String, group: (any EventLoopGroup)? = nil, patience: Duration = .seconds(10)
    ) async throws(AgentUnreachable) -> AgentConnection {
        try await connect(socketPath: socketPath, group: group, patience: patience) { try await Task.sleep(for: $0) }
    }

    static func connect(
        socketPath: String, group: (any EventLoopGroup)? = nil, patience: Duration,
        wait: @Sendable (Duration) async throws -> Void
    ) async throws(AgentUnreachable) -> AgentConnection {
        var pauses = ConnectPauses(patience: patience)
        while true {
            do {
                return try await attempt(socketPath, group)
            } catch {
                guard error.code == .busy, let pause = pauses.pause(random: .random(in: 0...1)),
                    (try? await wait(pause)) != nil
                else { throw error }
            }
        }
    }

    private static func attempt(
        _ socketPath: String, _ group: (any EventLoopGroup)?
    ) async throws(AgentUnreachable) -> AgentConnection {
        do {
            let path = try UnixSocketPath(socketPath)
            let (channel, connection) = try await ClientBootstrap(group: group ?? MultiThreadedEventLoopGroup.singleton)
                .connect(unixDomainSocketPath: path.path) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        let connection = ConnectionHandler(path: socketPath)
                        try channel.pipeline.syncOperations.addHandler(connection)
                        return (channel, NIOLoopBound(connection, eventLoop: channel.eventLoop))
                    }
                }
            return AgentConnection(socketPath: socketPath, channel: channel, connection: connection)
        } catch {
            throw AgentUnreachable.connecting(to: socketPath, error)
        }
    }

    /// Calls the method that `parameters` belong to.
    ///
    /// Cancelling the task ends the wait, not the call: the agent may carry it out.
    ///
    /// - Throws: `ProtocolError`, the agent's answer; ``AgentUnreachable``; ``UnexpectedResult``; `CancellationError`.
    public func call<P: RequestParameters>(_ parameters: P) async throws -> P.Result {
        let params = JSONSlice(try JSONValue(encoding: parameters))
        return try decode(P.Result.self, try await callRaw(P.method, params: params), of: P.method)
    }

    /// Calls any method with any params, and returns the result's JSON as the agent wrote it.
    ///
    /// - Parameter params: A JSON object, or nil to leave `params` out.
    /// - Throws: as ``call(_:)``.
    public func callRaw(_ method: Method, params: JSONSlice?) async throws -> JSONSlice {
        try await perform { connection, promise in
            connection.call(method, params: params, promise: promise)
        }
    }

    /// Asks for the issuers the caller may see and for their changes from then on. A connection has one watcher: the one
    /// before ends.
    ///
    /// - Parameters:
    ///   - acknowledges: Whether the caller is going to say what it serves, with `acknowledge`. An agent of protocol
    ///     1.0 refuses that with `INVALID_PARAMS`.
    ///   - staleAfter: The seconds without a confirmation after which it turns unready. An agent that does not take that refuses it
    ///     with `INVALID_PARAMS`.
    /// - Throws: as ``call(_:)``.
    public func watch(
        acknowledges: Bool = false, staleAfter: Int? = nil
    ) async throws -> (snapshot: WatchSnapshot, changes: WatchChanges) {
        let buffer = WatchBuffer()
        let parameters = WatchParameters(acknowledges: acknowledges ? true : nil, staleAfterSeconds: staleAfter)
        let params = acknowledges || staleAfter != nil ? JSONSlice(try JSONValue(encoding: parameters)) : nil
        let result = try await perform { connection, promise in
            // Before the request, so that no notification can come too early for it.
            connection.watch(into: buffer)
            connection.call(WatchParameters.method, params: params, promise: promise)
        }
        let snapshot = try decode(WatchSnapshot.self, result, of: WatchParameters.method)
        return (snapshot, WatchChanges(buffer: buffer, client: self))
    }

    /// Closes the connection; calls under way fail. Does nothing on a connection that has ended.
    public func close() async {
        channel.eventLoop.execute { [connection] in
            connection.value.close()
        }
        // Fails only when closing failed, after which the channel is of no use either.
        try? await channel.closeFuture.get()
    }

    private func perform(
        _ send: @escaping @Sendable (ConnectionHandler, EventLoopPromise<JSONSlice>) -> Void
    ) async throws -> JSONSlice {
        try Task.checkCancellation()
        let promise = channel.eventLoop.makePromise(of: JSONSlice.self)
        return try await withTaskCancellationHandler {
            channel.eventLoop.execute { [connection] in
                send(connection.value, promise)
            }
            return try await promise.futureResult.get()
        } onCancel: {
            // A promise takes its first outcome; a reply that comes later is dropped.
            promise.fail(CancellationError())
        }
    }

    private func decode<Result: Decodable>(_ type: Result.Type, _ slice: JSONSlice, of method: Method) throws -> Result {
        do {
            return try JSONValue(parsing: slice).decode(type)
        } catch {
            throw UnexpectedResult(method: method, cause: error)
        }
    }
}
