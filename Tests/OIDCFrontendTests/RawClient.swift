import NIOCore
import NIOPosix
import Platform
import Testing

/// A client that sends what a test says, when it says so, and keeps what comes back.
final class RawClient: Sendable {
    private let channel: any Channel
    private let state: Locked<State>

    fileprivate struct State {
        var received = ""
        var isClosed = false
    }

    /// Connects to a port of 127.0.0.1, from another address of loopback where one is given.
    init(_ port: Int, from address: String = "127.0.0.1") async throws {
        let state = Locked(State())
        self.state = state
        channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(to: SocketAddress(ipAddress: address, port: 0))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Collector(state: state))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
    }

    /// What has come back so far.
    var received: String { state.withLock { $0.received } }
    /// Whether the other end has closed the connection.
    var isClosed: Bool { state.withLock { $0.isClosed } }

    func send(_ text: String) async throws { try await channel.writeAndFlush(ByteBuffer(string: text)).get() }

    /// Sends a request that keeps the connection alive, and returns once it was answered.
    func request(_ path: String = "/healthz") async throws {
        let before = received
        try await send("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n")
        try await eventually("an answer") { received.dropFirst(before.count).hasSuffix("\n") }
    }

    func close() { channel.close(promise: nil) }

    private final class Collector: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let state: Locked<State>

        init(state: Locked<State>) { self.state = state }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            state.withLock { $0.received += String(buffer: unwrapInboundIn(data)) }
        }

        func channelInactive(context: ChannelHandlerContext) { state.withLock { $0.isClosed = true } }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }
}

/// Runs `body` with as many clients; closes them afterwards.
func withClients(_ count: Int, _ port: Int, _ body: ([RawClient]) async throws -> Void) async throws {
    var clients: [RawClient] = []
    defer { clients.forEach { $0.close() } }
    for _ in 0..<count { clients.append(try await RawClient(port)) }
    try await body(clients)
}
