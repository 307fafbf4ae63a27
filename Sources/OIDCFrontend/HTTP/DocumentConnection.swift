import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1

/// Connections that are answered on the event loop that reads from them.
///
/// An answer is there at once and waits for nothing. A task for each connection, with a stream of what comes in and one of what
/// goes out, costs twice as much processor time for the same answer.
struct DocumentChannel: ServerChildChannel {
    /// An open connection.
    struct Value: ServerChildChannelValue {
        let channel: any Channel
    }

    let responder: DocumentResponder

    private static let idleLimit = TimeAmount.seconds(60)

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            var limits = NIOHTTPDecoderLimitConfiguration()
            limits.maxHeaderFieldSize = 8 * 1024
            limits.maxHeaderListSize = 32 * 1024
            limits.maxHeaderFieldCount = 100
            let pipeline = channel.pipeline.syncOperations
            try pipeline.configureHTTPServerPipeline(
                // What goes out is the agent's words and our own.
                withOutboundHeaderValidation: false, withEncoderConfiguration: .init(), withDecoderLimitConfiguration: limits)
            // Behind the decoder: whoever sends a header byte by byte is idle too. Writes are not timed, which would cost a promise
            // for each; answers are small, and one that is not taken is given up with its connection.
            try pipeline.addHandler(IdleStateHandler(readTimeout: Self.idleLimit))
            try pipeline.addHandler(DocumentHandler(responder: responder))
            return Value(channel: channel)
        }
    }

    /// Returns once the connection is closed; cancellation closes it.
    func handle(value: Value, logger: Logger) async {
        await withTaskCancellationHandler {
            try? await value.channel.closeFuture.get()
        } onCancel: {
            value.channel.close(promise: nil)
        }
    }
}

/// Answers the requests of one connection, one after the other.
private final class DocumentHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let responder: DocumentResponder
    private var request: HTTPRequestHead?
    private var date = HTTPDate()

    init(responder: DocumentResponder) {
        self.responder = responder
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): request = head
        case .body: break
        case .end:
            guard let head = request else { return }
            request = nil
            answer(head, context)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case ChannelEvent.inputClosed:
            // Once what is being sent has gone out.
            context.close(mode: .output, promise: nil)
        case is IdleStateHandler.IdleStateEvent:
            context.close(promise: nil)
        default:
            context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A client that breaks off, or one that does not speak HTTP or TLS.
        context.close(promise: nil)
    }

    private func answer(_ request: HTTPRequestHead, _ context: ChannelHandlerContext) {
        var answer = responder.answer(request)
        answer.fields.add(name: "Date", value: date.text(at: responder.time.seconds))
        let goesOn = request.isKeepAlive
        if !goesOn {
            answer.fields.add(name: "Connection", value: "close")
        } else if request.version == .http1_0 {
            answer.fields.add(name: "Connection", value: "keep-alive")
        }
        let head = HTTPResponseHead(version: .http1_1, status: answer.status, headers: answer.fields)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if let body = answer.body { context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
        guard goesOn else {
            let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
            context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in bound.value.close(promise: nil) }
            return
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }
}
