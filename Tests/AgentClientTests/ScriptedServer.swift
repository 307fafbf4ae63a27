import AgentProtocol
import Foundation
import NIOCore
import NIOPosix
import TestSupport

/// A server that answers as a test tells it to, on a socket in a directory of its own.
final class ScriptedServer: Sendable {
    enum Action: Sendable {
        case send([UInt8])
        case close
    }

    /// Gets all the requests of a connection so far, the newest last, and says what to do.
    typealias Script = @Sendable (_ requests: [Request]) -> [Action]

    let socketPath: String
    private let directory: String
    private let channel: any Channel

    /// Runs `body` against an agent that follows `script`.
    static func with<Result>(
        _ script: @escaping Script, _ body: (_ socketPath: String) async throws -> Result
    ) async throws -> Result {
        let agent = try await ScriptedServer(script)
        do {
            let result = try await body(agent.socketPath)
            try await agent.stop()
            return result
        } catch {
            try? await agent.stop()
            throw error
        }
    }

    private init(_ script: @escaping Script) async throws {
        directory = try TemporaryDirectory.make()
        socketPath = directory + "/agent.sock"
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ScriptHandler(script: script))
                }
            }
            .bind(unixDomainSocketPath: socketPath).get()
    }

    private func stop() async throws {
        try await channel.close()
        try FileManager.default.removeItem(atPath: directory)
    }
}

extension ScriptedServer.Action {
    static func result(_ request: Request, _ result: some Encodable) -> Self {
        .send(ReplyLine.success(id: request.id, result: result))
    }

    static func failure(_ request: Request, _ error: ProtocolError) -> Self {
        .send(ReplyLine.failure(id: request.id, error))
    }

    static func text(_ text: String) -> Self {
        .send(Array(text.utf8))
    }
}

private final class ScriptHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let script: ScriptedServer.Script
    private var framer = LineFramer()
    private var requests: [Request] = []

    init(script: @escaping ScriptedServer.Script) {
        self.script = script
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = unwrapInboundIn(data)
        framer.feed(buffer.readBytes(length: buffer.readableBytes) ?? [])
        while case .line(let line)? = framer.next() {
            guard let request = try? Request.decode(line) else {
                context.close(promise: nil)
                return
            }
            requests.append(request)
            for action in script(requests) {
                switch action {
                case .send(let bytes): context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: nil)
                case .close: context.close(promise: nil)
                }
            }
        }
    }
}
