import AgentProtocol
import NIOCore

/// One connection: cuts what comes in into lines, hands each to the dispatcher, writes the replies.
///
/// A caller that has many requests under way, or does not read its replies, is not read from until that has passed. What a
/// caller sent before it closed its side is answered.
// Sendable: every stored property is used on the channel's event loop alone; `Outbox` is what other threads hold.
final class Connection: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Requests a connection may have under way before it is read from no further.
    private static let pipelineLimit = 256
    /// How long an ending agent waits for a caller.
    private static let farewell = TimeAmount.seconds(5)

    private let dispatcher: Dispatcher
    private let waker: LoopWaker
    private let id: ConnectionID
    private let caller: Caller
    private let idle: TimeAmount
    private let isWatching: @Sendable () -> Bool
    private let ended: @Sendable (ConnectionID) -> Void
    private var idleCheck: Scheduled<Void>?
    /// Whether a whole line has come since idleness was last looked at.
    private var hasSentLine = false
    private var framer = LineFramer()
    private var context: ChannelHandlerContext?
    private var outbox: Outbox?
    private var underWay = 0
    private var isReading = false
    /// Whether nothing more is read: the caller closed its side, or the agent is shutting down.
    private var isFinishing = false
    /// Whether only replies already written keep the connection open.
    private var isClosing = false

    init(
        dispatcher: Dispatcher, waker: LoopWaker, id: ConnectionID, caller: Caller, idle: TimeAmount,
        isWatching: @escaping @Sendable () -> Bool, ended: @escaping @Sendable (ConnectionID) -> Void
    ) {
        self.idle = idle
        self.isWatching = isWatching
        self.dispatcher = dispatcher
        self.waker = waker
        self.id = id
        self.caller = caller
        self.ended = ended
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        outbox = Outbox(eventLoop: context.eventLoop, waker: waker) { [weak self] in self?.writeBatch() }
        lookForIdleness()
        if context.channel.isActive { proceed() }
    }

    func channelActive(context: ChannelHandlerContext) {
        context.fireChannelActive()
        proceed()
    }

    func channelInactive(context: ChannelHandlerContext) {
        leave()
        context.fireChannelInactive()
    }

    /// Also comes for a channel that never became active.
    func handlerRemoved(context: ChannelHandlerContext) {
        leave()
    }

    private func leave() {
        guard context != nil else { return }
        context = nil
        idleCheck?.cancel()
        outbox?.close()
        outbox = nil
        ended(id)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        framer.feed(Array(unwrapInboundIn(data).readableBytesView))
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        proceed()
        context.fireChannelReadComplete()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        proceed()
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .some(ChannelEvent.inputClosed) = event as? ChannelEvent {
            isReading = false
            isFinishing = true
            proceed()
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    /// A broken connection has nobody to tell.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    /// Reads no more, answers what has been read and closes. On the event loop.
    ///
    /// A caller that does not take its replies has five seconds.
    func finish() {
        isFinishing = true
        context?.eventLoop.scheduleTask(in: Self.farewell) { [weak self] in self?.context?.close(promise: nil) }
        proceed()
    }

    /// Closes the connection when it has been of no use for a whole interval: one that sends a byte now and then is not.
    private func lookForIdleness() {
        idleCheck = context?.eventLoop.scheduleTask(in: idle) { [weak self] in
            guard let self, let context = self.context else { return }
            guard hasSentLine || underWay > 0 || isWatching() else { return context.close(promise: nil) }
            hasSentLine = false
            lookForIdleness()
        }
    }

    /// Does what is possible now: dispatch lines, read on, or close.
    private func proceed() {
        guard let context, let outbox else { return }
        while underWay < Self.pipelineLimit, context.channel.isWritable, let frame = framer.next() {
            underWay += 1
            hasSentLine = true
            dispatcher.dispatch(
                frame, OperationContext(caller: caller, connection: id, notifications: outbox), reply: outbox.reply)
        }
        guard underWay < Self.pipelineLimit, context.channel.isWritable else { return }
        if isFinishing {
            if underWay == 0 { closeOnceWritten(context) }
        } else if !isReading {
            isReading = true
            context.read()
        }
    }

    /// Closing drops what has not reached the socket, so an empty write goes first: it is done when all before it are.
    private func closeOnceWritten(_ context: ChannelHandlerContext) {
        guard !isClosing else { return }
        isClosing = true
        context.writeAndFlush(wrapOutboundOut(ByteBuffer())).whenComplete { [weak self] _ in
            self?.context?.close(promise: nil)
        }
    }

    private func writeBatch() {
        guard let context, let outbox else { return }
        let batch = outbox.take()
        underWay -= batch.replies
        var promise: EventLoopPromise<Void>?
        if !batch.written.isEmpty {
            let done = context.eventLoop.makePromise(of: Void.self)
            done.futureResult.whenSuccess { for written in batch.written { written() } }
            promise = done
        }
        context.writeAndFlush(wrapOutboundOut(context.channel.allocator.buffer(bytes: batch.bytes)), promise: promise)
        proceed()
    }
}
