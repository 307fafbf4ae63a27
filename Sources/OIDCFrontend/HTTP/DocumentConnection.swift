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
    let connections: Connections

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            var limits = NIOHTTPDecoderLimitConfiguration()
            limits.maxHeaderFieldSize = 8 * 1024
            limits.maxHeaderListSize = 32 * 1024
            limits.maxHeaderFieldCount = 100
            let connection = try connections.admit(channel)
            let arrivals = Arrivals()
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandler(arrivals)
            try pipeline.configureHTTPServerPipeline(
                // It would answer on connections that are being closed as well.
                withErrorHandling: false,
                // What goes out are our own words, and the agent's, which were looked at when they came in.
                withOutboundHeaderValidation: false, withEncoderConfiguration: .init(), withDecoderLimitConfiguration: limits)
            try pipeline.addHandler(DocumentHandler(responder: responder, connection: connection, arrivals: arrivals))
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

/// Notices bytes before they are decoded: the first of a request come long before the request.
final class Arrivals: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private var hasAny = false

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        hasAny = true
        context.fireChannelRead(data)
    }

    /// Whether bytes have come since this was last asked.
    func take() -> Bool {
        defer { hasAny = false }
        return hasAny
    }
}
