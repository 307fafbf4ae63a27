import AgentProtocol
import NIOCore

/// The client's end of one connection: matches replies to calls and hands notifications to the watcher. Bound to the
/// channel's event loop.
final class ConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let path: String
    private var context: ChannelHandlerContext?
    private var framer = LineFramer(limit: ProtocolLimits.replyLine)
    /// Calls without a reply yet. A call that was cancelled stays until its reply comes, which nobody then waits for.
    private var calls: [RequestID: EventLoopPromise<JSONSlice>] = [:]
    private var nextID: Int64 = 1
    private var watch: WatchBuffer?
    /// What ended the connection; nil when it was closed in order.
    private var cause: (any Error)?
    private var isClosing = false
    private var isFlushScheduled = false

    init(path: String) {
        self.path = path
    }

    // MARK: Calls

    /// Sends a request. Requests of one turn of the event loop are written together.
    func call(_ method: Method, params: JSONSlice?, promise: EventLoopPromise<JSONSlice>) {
        guard let context, context.channel.isActive, !isClosing else {
            promise.fail(AgentUnreachable.connectionClosed(path, cause))
            return
        }
        let id = RequestID(nextID)
        let line = Request.encode(id: id, method: method, params: params)
        guard line.count - 1 <= ProtocolLimits.requestLine else {
            promise.fail(
                ProtocolError(
                    .lineTooLong,
                    "the request is \(line.count - 1) bytes long, a line may have \(ProtocolLimits.requestLine)"))
            return
        }
        nextID += 1
        calls[id] = promise
        context.write(wrapOutboundOut(ByteBuffer(bytes: line)), promise: nil)
        guard !isFlushScheduled else { return }
        isFlushScheduled = true
        context.eventLoop.assumeIsolated().execute {
            self.isFlushScheduled = false
            self.context?.flush()
        }
    }

    /// Sends notifications to `buffer` from now on, and ends the watcher before.
    func watch(into buffer: WatchBuffer) {
        watch?.finish(throwing: nil)
        watch = buffer
    }

    /// Ends the connection in order. Calls under way fail.
    func close() {
        isClosing = true
        context?.close(promise: nil)
    }

    // MARK: The channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = unwrapInboundIn(data)
        framer.feed(buffer.readBytes(length: buffer.readableBytes) ?? [])
        while let frame = framer.next() {
            switch frame {
            case .line(let line): receive(line)
            case .tooLong: giveUp("the agent's line is longer than \(ProtocolLimits.replyLine) bytes", nil)
            }
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        cause = cause ?? error
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        let lost = cause as? AgentUnreachable ?? AgentUnreachable.connectionLost(path, cause)
        failCalls(lost)
        watch?.finish(throwing: isClosing ? nil : lost)
        watch = nil
        context.fireChannelInactive()
    }

    private func receive(_ line: [UInt8]) {
        do throws(MalformedLine) {
            switch try AgentLine.decode(line) {
            case .result(let id, let result):
                calls.removeValue(forKey: id)?.succeed(result)
            case .failure(let id?, let error):
                calls.removeValue(forKey: id)?.fail(error)
            case .failure(nil, let error):
                // One of the calls under way never gets its reply now, and nothing says which.
                failCalls(error)
                giveUp("the agent could not read a request: \(error.message)", error)
            case .notification(IssuerChanges.method, let params?):
                watch?.add(try changes(params))
            case .notification:
                break
            }
        } catch {
            giveUp(error.message, error)
        }
    }

    private func changes(_ params: JSONSlice) throws(MalformedLine) -> IssuerChanges {
        do {
            return try JSONValue(parsing: params).decode(IssuerChanges.self)
        } catch {
            throw MalformedLine(message: "the agent's \"\(IssuerChanges.method)\" cannot be read")
        }
    }

    private func failCalls(_ error: any Error) {
        let failed = calls
        calls = [:]
        for promise in failed.values {
            promise.fail(error)
        }
    }

    private func giveUp(_ message: String, _ error: (any Error)?) {
        cause = cause ?? AgentUnreachable.malformedReply(path, message, error)
        context?.close(promise: nil)
    }
}
