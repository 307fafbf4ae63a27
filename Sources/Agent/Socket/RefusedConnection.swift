import AgentProtocol
import NIOCore

/// A connection that is one too many: says why and closes.
final class RefusedConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let error: ProtocolError

    init(_ error: ProtocolError) {
        self.error = error
    }

    func channelActive(context: ChannelHandlerContext) {
        let line = ReplyLine.failure(id: nil, error)
        context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(bytes: line)), promise: nil)
        context.close(promise: nil)
    }
}
