import AgentProtocol

/// A request that its caller may make at all, and that is not answered yet: it is put before the gate with what its parameters
/// say, or refused.
struct PendingRequest: Sendable {
    /// A JSON object; `nil` when the request has none.
    let params: JSONSlice?
    /// What will be recorded of it, as far as it is known.
    var entry: AuditEntry
    let reply: PendingReply

    var caller: Caller { entry.record.caller }
    var method: Method { entry.record.method }

    /// - Parameters:
    ///   - began: when it came, in nanoseconds of the monotonic clock.
    ///   - send: takes its one reply line.
    init(_ request: Request, _ caller: Caller, at began: Int64, send: @escaping @Sendable ([UInt8]) -> Void) {
        params = request.params
        entry = AuditEntry(caller, request.method, at: began)
        reply = PendingReply(id: request.id, send: send)
    }
}

/// The reply that a request still waits for. It is given against the receipt of a record alone: what is not recorded is not
/// answered.
struct PendingReply: Sendable {
    let id: RequestID
    private let send: @Sendable ([UInt8]) -> Void

    fileprivate init(id: RequestID, send: @escaping @Sendable ([UInt8]) -> Void) {
        self.id = id
        self.send = send
    }

    func succeed(_ result: some Encodable, _ receipt: borrowing AuditReceipt) {
        send(ReplyLine.success(id: id, result: result))
    }

    /// - Parameter line: the whole reply, for a result that is not encoded like others.
    func succeed(line: [UInt8], _ receipt: borrowing AuditReceipt) {
        send(line)
    }

    func fail(_ error: ProtocolError, _ receipt: borrowing AuditReceipt) {
        send(ReplyLine.failure(id: id, error))
    }
}

/// A request that the gate has let in. Nothing is carried out without one, and only the gate makes any.
///
/// A class, since a signature ends on another thread than it began on.
final class Admission<Parameters: Sendable>: Sendable {
    let parameters: Parameters
    /// What has allowed it, and what that still has to say of it.
    let decision: AccessDecision
    let entry: AuditEntry
    let reply: PendingReply

    var caller: Caller { entry.record.caller }

    fileprivate init(_ request: PendingRequest, _ parameters: Parameters, _ decision: AccessDecision) {
        self.parameters = parameters
        self.decision = decision
        entry = request.entry
        reply = request.reply
    }
}

extension Gate {
    /// Lets a request in, if its caller may make it for this issuer and does not make it too often.
    ///
    /// - Parameter issuer: what the parameters name; `nil` for a request that is about none, or about all that may be seen.
    /// - Throws: `PERMISSION_DENIED`, `RATE_LIMITED`: the request is to be refused.
    func admit<Parameters>(
        _ request: PendingRequest, _ parameters: Parameters, issuer: String?
    ) throws(ProtocolError) -> Admission<Parameters> {
        Admission(request, parameters, try authorize(request.caller, request.method, issuer: issuer))
    }
}

extension AuditLog {
    /// Records that a request is not carried out, and tells its caller.
    func refuse(_ request: PendingRequest, _ error: ProtocolError) {
        request.reply.fail(error, recordRefusal(request.entry, error))
    }

    /// Records that a request was let in and has failed, and tells its caller.
    func refuse<Parameters>(_ admission: Admission<Parameters>, _ error: ProtocolError) {
        admission.reply.fail(error, recordRefusal(admission.entry, error))
    }
}
