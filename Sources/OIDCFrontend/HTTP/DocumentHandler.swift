import NIOCore
import NIOHTTP1

/// Answers the requests of one connection, one after the other.
///
/// A client that takes no answers gets no more of them: its next request waits, and nothing is read, until it does.
final class DocumentHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let responder: DocumentResponder
    private let connection: OpenConnection
    private let arrivals: Arrivals
    private var date = HTTPDate()

    /// The request whose body is coming.
    private var request: HTTPRequestHead?
    private var bodyLength = 0
    /// A whole request that waits to be answered.
    private var waiting: HTTPRequestHead?
    private var isAnswering = false
    /// Whether an answer was the last one: what comes after it is not looked at.
    private var isEnding = false
    /// Whether the request of the last answer has come to its end.
    private var isRequestOver = false
    private var isOutputClosed = false
    private var isInputClosed = false

    private var phase = Connections.Table.Phase.request
    /// Whether a request has come to its end, or an answer was taken, since the phase was last looked at.
    private var hasGoneOn = false

    init(responder: DocumentResponder, connection: OpenConnection, arrivals: Arrivals) {
        self.responder = responder
        self.connection = connection
        self.arrivals = arrivals
    }

    // MARK: Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isEnding else { return drain(unwrapInboundIn(data), context) }
        switch unwrapInboundIn(data) {
        case .head(let head):
            bodyLength = 0
            switch responder.admit(head) {
            case .request: request = head
            case .requestToContinue:
                request = head
                let go = HTTPResponseHead(version: .http1_1, status: .continue)
                context.writeAndFlush(wrapOutboundOut(.head(go)), promise: nil)
            case .refused(let answer): refuse(answer, to: head, context)
            }
        case .body(let part):
            bodyLength += part.readableBytes
            guard bodyLength > RequestLimits.body, let head = request else { return }
            refuse(.contentTooLarge, to: head, context)
        case .end:
            waiting = request
            request = nil
            hasGoneOn = true
            answerWaiting(context)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        notePhase()
        context.fireChannelReadComplete()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            hasGoneOn = true
            answerWaiting(context)
            notePhase()
        }
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case ChannelEvent.inputClosed = event else { return context.fireUserInboundEventTriggered(event) }
        isInputClosed = true
        if isOutputClosed {
            context.close(promise: nil)
        } else if !isEnding, waiting == nil {
            // Once what is being sent has gone out.
            context.close(mode: .output, promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case is HTTPParserError where context.channel.isActive && !isEnding:
            // No head says in which version to answer.
            refuse(.badRequest, to: HTTPRequestHead(version: .http1_1, method: .GET, uri: "/"), context)
        case is ByteToMessageDecoderError where isEnding:
            // More of what could not be read.
            break
        default:
            // A client that breaks off, or one that does not speak TLS.
            context.close(promise: nil)
        }
    }

    /// What comes after the last answer. A connection that is closed with bytes unread may lose that answer on its way.
    private func drain(_ part: HTTPServerRequestPart, _ context: ChannelHandlerContext) {
        switch part {
        // A further request, which will not be answered.
        case .head: break
        case .body(let part):
            bodyLength += part.readableBytes
            if bodyLength > RequestLimits.drained { context.close(promise: nil) }
        case .end:
            isRequestOver = true
            if isOutputClosed { context.close(promise: nil) }
        }
    }

    // MARK: Answers

    private func answerWaiting(_ context: ChannelHandlerContext) {
        // The answer to one request has the next one delivered before it returns.
        guard !isAnswering else { return }
        isAnswering = true
        defer { isAnswering = false }
        while context.channel.isWritable, !isEnding, let request = waiting {
            waiting = nil
            let answer = responder.answer(request)
            if request.isKeepAlive && !request.asksForAnotherProtocol {
                // Without a promise, which would cost as much as finding the document does.
                write(answer, to: request, nil, context)
            } else {
                isRequestOver = true
                writeLast(answer, to: request, context)
            }
        }
        if isInputClosed, !isEnding, waiting == nil { context.close(mode: .output, promise: nil) }
    }

    /// Answers before the request has come to its end, and ends the connection: where the next request would begin is not sure.
    private func refuse(_ answer: Answer, to request: HTTPRequestHead, _ context: ChannelHandlerContext) {
        self.request = nil
        writeLast(answer, to: request, context)
    }

    /// Writes the last answer of the connection, which ends once it has gone out, and the request with it.
    private func writeLast(_ answer: Answer, to request: HTTPRequestHead, _ context: ChannelHandlerContext) {
        isEnding = true
        let promise = context.eventLoop.makePromise(of: Void.self)
        let bound = NIOLoopBound((handler: self, context: context), eventLoop: context.eventLoop)
        promise.futureResult.whenComplete { _ in
            let (handler, context) = bound.value
            if handler.isRequestOver || handler.isInputClosed { return context.close(promise: nil) }
            handler.isOutputClosed = true
            context.close(mode: .output, promise: nil)
        }
        write(answer, to: request, promise, context)
    }

    private func write(
        _ answer: Answer, to request: HTTPRequestHead, _ promise: EventLoopPromise<Void>?, _ context: ChannelHandlerContext
    ) {
        var answer = answer
        answer.fields.add(name: "Date", value: date.text(at: responder.time.seconds))
        if isEnding {
            answer.fields.add(name: "Connection", value: "close")
        } else if request.version == .http1_0 {
            answer.fields.add(name: "Connection", value: "keep-alive")
        }
        let head = HTTPResponseHead(version: .http1_1, status: answer.status, headers: answer.fields)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        // HEAD gets the header of GET, Content-Length included, and no body (RFC 9110 §9.3.2).
        if request.method != .HEAD, let body = answer.body {
            context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
        }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: promise)
    }

    // MARK: Time

    /// Has the connection's time counted anew when it has gone on to something else.
    private func notePhase() {
        let hasArrivals = arrivals.take()
        let isBusy = request != nil || isEnding || (hasArrivals && !hasGoneOn) || (phase == .request && !hasGoneOn)
        let now: Connections.Table.Phase =
            waiting != nil || (isEnding && isRequestOver) ? .answer : isBusy ? .request : .idle
        if now != phase || hasGoneOn { connection.enter(now) }
        phase = now
        hasGoneOn = false
    }
}
