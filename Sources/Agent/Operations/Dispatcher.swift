import AgentProtocol

/// From a line to its one reply line: decode, admit, carry out and record.
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
        case admitted(AdmittedRequest)
    }

    /// A request whose caller may call the method at all.
    struct AdmittedRequest: Sendable {
        fileprivate let request: Request
        /// When it came, in nanoseconds of the monotonic clock.
        fileprivate let began: Int64
    }

    func read(_ frame: LineFramer.Frame, _ caller: Caller) -> Reading {
        do throws(RequestFailure) {
            let began = audit.clock.monotonic()
            let request = try Request(frame)
            do throws(ProtocolError) {
                try gate.admit(caller, request.method)
            } catch {
                audit.refused(audit.entry(caller, request.method, at: began), error)
                return .answered(ReplyLine.failure(id: request.id, error))
            }
            do throws(ProtocolError) {
                try audit.admit(caller, request.method, changing: operations.isChange(request.method))
            } catch {
                if error.reason == .rateLimited { audit.refused(audit.entry(caller, request.method, at: began), error) }
                return .answered(ReplyLine.failure(id: request.id, error))
            }
            return .admitted(AdmittedRequest(request: request, began: began))
        } catch {
            gate.noteUseless(caller)
            return .answered(ReplyLine.failure(id: error.id, error.error))
        }
    }

    /// Whether the request takes more of the agent than a place in the queue of signatures.
    func isOperation(_ admitted: AdmittedRequest) -> Bool {
        let method = admitted.request.method
        if startGate.isOpenNow { return method != .sign }
        // What waits for the start keeps nobody from being told of it.
        return method != .health && method != .version
    }

    /// `reply` is called exactly once, from whatever thread finishes the work.
    func carryOut(
        _ admitted: AdmittedRequest, _ context: OperationContext, reply: @escaping @Sendable ([UInt8]) -> Void
    ) {
        let (request, began) = (admitted.request, admitted.began)
        if request.method == .health || request.method == .version { return begin(request, context, began, reply) }
        startGate.whenOpen { isOpen in
            if isOpen { return begin(request, context, began, reply) }
            reply(ReplyLine.failure(id: request.id, .ending))
        }
    }

    private func begin(
        _ request: Request, _ context: OperationContext, _ began: Int64, _ reply: @escaping @Sendable ([UInt8]) -> Void
    ) {
        if request.method == .sign { return sign.run(request, context.caller, at: began, reply: reply) }
        let entry = audit.entry(context.caller, request.method, at: began)
        guard let handler = operations[request.method] else {
            let error = ProtocolError.unknown(request.method)
            audit.refused(entry, error)
            gate.noteUseless(context.caller)
            return reply(ReplyLine.failure(id: request.id, error))
        }
        underWay.begin()
        Task {
            await handler(request, entry, context, reply)
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
