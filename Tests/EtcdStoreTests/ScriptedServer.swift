import EtcdStore
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix

/// An HTTP server that does what a test says, for what a real etcd does not do on command.
enum ScriptedServer {
    struct Request: Sendable {
        let path: String
        let body: [UInt8]
        let token: String?

        var text: String { String(decoding: body, as: UTF8.self) }
    }

    enum Step: Sendable {
        case head(Int = 200)
        case bytes(String)
        case wait(Duration)
        case end
        /// Closes the connection.
        case close
    }

    /// One answer of JSON.
    static func json(_ text: String, _ status: Int = 200) -> [Step] { [.head(status), .bytes(text), .end] }

    /// Says nothing until the client gives up.
    static let silence: [Step] = [.wait(.seconds(3_600))]

    /// Runs `body` with the server's endpoint; every request is answered by the steps of `script`.
    static func run<Value>(
        _ script: @escaping @Sendable (Request) async throws -> [Step], _ body: (EtcdEndpoint) async throws -> Value
    ) async throws -> Value {
        let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(Handler(script))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let endpoint = EtcdEndpoint("http://127.0.0.1:\(server.localAddress?.port ?? 0)")!
        do {
            let value = try await body(endpoint)
            try await server.close()
            return value
        } catch {
            try? await server.close()
            throw error
        }
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart

        private let script: @Sendable (Request) async throws -> [Step]
        private var head: HTTPRequestHead?
        private var body: [UInt8] = []
        private var answering: Task<Void, Never>?

        init(_ script: @escaping @Sendable (Request) async throws -> [Step]) {
            self.script = script
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            switch unwrapInboundIn(data) {
            case .head(let head): (self.head, body) = (head, [])
            case .body(let part): body += part.readableBytesView
            case .end:
                guard let head else { return }
                let request = Request(path: head.uri, body: body, token: head.headers.first(name: "Authorization"))
                answering = ScriptedServer.answer(request, by: script, on: context.channel)
            }
        }

        func channelInactive(context: ChannelHandlerContext) {
            answering?.cancel()
            context.fireChannelInactive()
        }
    }

    private static func answer(
        _ request: Request, by script: @escaping @Sendable (Request) async throws -> [Step], on channel: any Channel
    ) -> Task<Void, Never> {
        Task {
            do {
                let steps = try await script(request)
                for step in steps { try await take(step, channel) }
            } catch {
                try? await channel.close()
            }
        }
    }

    private static func take(_ step: Step, _ channel: any Channel) async throws {
        switch step {
        case .head(let status):
            try await channel.writeAndFlush(
                HTTPServerResponsePart.head(
                    HTTPResponseHead(
                        version: .http1_1, status: HTTPResponseStatus(statusCode: status),
                        headers: ["Content-Type": "application/json", "Transfer-Encoding": "chunked"])))
        case .bytes(let text):
            try await channel.writeAndFlush(HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(string: text))))
        case .wait(let time): try await Task.sleep(for: time)
        case .end: try await channel.writeAndFlush(HTTPServerResponsePart.end(nil))
        case .close: try await channel.close()
        }
    }
}

/// Passes requests on to a member, and does with the answers what a test says.
enum Forwarder {
    static func pass(_ request: ScriptedServer.Request, to endpoint: EtcdEndpoint) async throws -> [ScriptedServer.Step] {
        var forward = URLRequestParts(url: endpoint.url + request.path, body: request.body)
        forward.token = request.token
        let (status, body) = try await forward.send()
        return ScriptedServer.json(body, status)
    }
}
