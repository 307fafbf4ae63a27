import AgentProtocol

/// From a line to its one reply line: decodes a request, asks whether it may go on at all, and has it answered.
struct Dispatcher: Sendable {
    let gate: Gate
    let audit: AuditLog
    let sign: Sign
    let operations: OperationTable
    let startGate: StartGate
    /// What is carried out, beside signatures.
    let underWay: InFlightCounter

    /// What a line turned out to be.
    enum Reading: Sendable {
        /// One that is answered with this line, and nothing is to be done.
        case answered([UInt8])
        case received(ReceivedRequest)
    }

    /// A request whose caller may call the method at all.
    struct ReceivedRequest: Sendable {
        fileprivate let request: Request
        /// When it came, in nanoseconds of the monotonic clock.
        fileprivate let began: Int64
    }

    func read(_ frame: LineFramer.Frame, _ caller: Caller) -> Reading {
        do throws(RequestFailure) {
            let began = audit.clock.monotonic()
            let request = try Request(frame)
            do throws(ProtocolError) {
                try gate.checkCall(caller, request.method)
                try audit.checkRoom(for: caller, request.method, changing: operations.isChange(request.method))
            } catch {
                // While nothing can be recorded, that cannot be either.
                if error.reason != .auditUnavailable {
                    audit.recordRefusal(AuditEntry(caller, request.method, at: began), error)
                }
                return .answered(ReplyLine.failure(id: request.id, error))
            }
            return .received(ReceivedRequest(request: request, began: began))
        } catch {
            gate.noteUseless(caller)
            return .answered(ReplyLine.failure(id: error.id, error.error))
        }
    }

    /// Whether the request takes more of the agent than a place in the queue of signatures.
    func isOperation(_ received: ReceivedRequest) -> Bool {
        let method = received.request.method
        if startGate.isOpenNow { return method != .sign }
        // What waits for the start keeps nobody from being told of it.
        return method != .health && method != .version
    }

    /// `reply` is called exactly once, from whatever thread finishes the work.
    func carryOut(
        _ received: ReceivedRequest, _ context: OperationContext, reply: @escaping @Sendable ([UInt8]) -> Void
    ) {
        let method = received.request.method
        if method == .health || method == .version { return answer(received, context, reply) }
        startGate.whenOpen { isOpen in
            if isOpen { return answer(received, context, reply) }
            reply(ReplyLine.failure(id: received.request.id, .ending))
        }
    }

    private func answer(
        _ received: ReceivedRequest, _ context: OperationContext, _ reply: @escaping @Sendable ([UInt8]) -> Void
    ) {
        let request = PendingRequest(received.request, context.caller, at: received.began, send: reply)
        if request.method == .sign { return sign.answer(request) }
        guard let handler = operations[request.method] else {
            gate.noteUseless(context.caller)
            return audit.refuse(request, .unknown(request.method))
        }
        underWay.begin()
        Task {
            await handler.handle(request, context)
            underWay.end()
        }
    }
}
extension Request {
    fileprivate init(_ frame: LineFramer.Frame) throws(RequestFailure) {
        switch frame {
        case .line(let line):
            self = try Request.decode(line)
        case .tooLong:
            throw RequestFailure(
                id: nil,
                error: ProtocolError(
                    .lineTooLong, "a request line is longer than \(ProtocolLimits.requestLine) bytes",
                    hint: "send less in one request; the rest of the line has been skipped"))
        }
    }
}

extension ProtocolError {
    fileprivate static let ending = ProtocolError(
        .shuttingDown, "the agent is shutting down", hint: "try again after its restart")

    fileprivate static func unknown(_ method: Method) -> ProtocolError {
        ProtocolError(
            .methodNotFound, "there is no method \"\(method.rawValue.prefix(64))\"",
            hint: "the methods are \(Method.all.map(\.rawValue).joined(separator: ", "))")
    }
}
