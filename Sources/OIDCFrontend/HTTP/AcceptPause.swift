import Logging
import NIOCore

/// Leaves connections waiting for a moment when they cannot be accepted, such as for want of descriptors.
///
/// Without it the event loop would try again without end, since somebody waits, and whoever reads the accepted connections would
/// take the error for their end. It stands before all other handlers of the listening channel. That something is wrong is logged
/// once, and that it is over once nothing has been wrong for ten seconds.
final class AcceptPause: ChannelInboundHandler {
    typealias InboundIn = any Channel

    private static let length = TimeAmount.milliseconds(100)
    private static let quiet = TimeAmount.seconds(10)

    private let logger: Logger
    private var isFailing = false
    private var hasFailedAgain = false

    init(logger: Logger) {
        self.logger = logger
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        hasFailedAgain = true
        if !isFailing {
            isFailing = true
            logger.error(
                "connections cannot be accepted, trying again",
                metadata: [
                    "error": "\(error)", "hint": "see what the process has open, and whether LimitNOFILE= leaves it enough",
                ])
            lookAgain(context)
        }
        // Holding read() back would not do: the channel goes on waiting for the connection that it could not accept.
        try? context.channel.syncOptions?.setOption(.autoRead, value: false)
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.length) {
            try? context.channel.syncOptions?.setOption(.autoRead, value: true)
        }
    }

    private func lookAgain(_ context: ChannelHandlerContext) {
        hasFailedAgain = false
        context.eventLoop.assumeIsolated().scheduleTask(in: Self.quiet) {
            guard context.channel.isActive else { return }
            if self.hasFailedAgain { return self.lookAgain(context) }
            self.isFailing = false
            self.logger.notice("connections are accepted again")
        }
    }
}
