import AgentProtocol
import Logging

/// The operations of an agent, by method.
struct OperationTable: Sendable {
    private let gate: Gate
    private let audit: AuditLog
    private let log: Logger
    private var handlers: [Method: any RequestHandler] = [:]

    init(gate: Gate, audit: AuditLog, log: Logger) {
        self.gate = gate
        self.audit = audit
        self.log = log
    }

    mutating func add<O: Operation>(_ operation: O) {
        handlers[O.Parameters.method] = OperationHandler(steps: OperationSteps(operation, gate, audit, log))
    }

    mutating func add<O: ChangeOperation>(_ operation: O) {
        handlers[O.Parameters.method] = ChangeHandler(steps: OperationSteps(operation, gate, audit, log))
    }

    subscript(method: Method) -> (any RequestHandler)? { handlers[method] }

    /// Whether it changes something: slow enough by itself, and what an operator may need at once.
    func isChange(_ method: Method) -> Bool { handlers[method]?.isChange ?? false }
}

/// Takes each request for one method to its record and its reply.
protocol RequestHandler: Sendable {
    var isChange: Bool { get }

    func handle(_ request: PendingRequest, _ context: OperationContext) async
}

/// What is recorded once it is carried out.
private struct OperationHandler<O: Operation>: RequestHandler {
    let steps: OperationSteps<O>

    var isChange: Bool { false }

    func handle(_ request: PendingRequest, _ context: OperationContext) async {
        guard let admission = await steps.admit(request, context) else { return }
        await steps.carryOut(admission, admission.entry, context)
    }
}

/// What is recorded before it is carried out, and after; asked for as a dry run, it changes nothing and is recorded once.
private struct ChangeHandler<O: ChangeOperation>: RequestHandler {
    let steps: OperationSteps<O>

    var isChange: Bool { true }

    func handle(_ request: PendingRequest, _ context: OperationContext) async {
        guard let admission = await steps.admit(request, context) else { return }
        guard steps.operation.isDryRun(admission.parameters) else { return await steps.change(admission, context) }
        var entry = admission.entry
        entry.record.isDryRun = true
        await steps.carryOut(admission, entry, context)
    }
}

/// The steps of a request through the one funnel. Each but the last hands on what the next cannot go without: parameters that were
/// decoded, the gate's admission, the receipt of a record.
private struct OperationSteps<O: Operation>: Sendable {
    let operation: O
    private let gate: Gate
    private let audit: AuditLog
    private let log: Logger

    init(_ operation: O, _ gate: Gate, _ audit: AuditLog, _ log: Logger) {
        self.operation = operation
        self.gate = gate
        self.audit = audit
        self.log = log
    }

    /// - Returns: `nil` for a request that has been refused.
    func admit(_ request: PendingRequest, _ context: OperationContext) async -> Admission<O.Parameters>? {
        var request = request
        do throws(ProtocolError) {
            let parameters = try ParameterDecoder.decode(O.Parameters.self, from: request.params)
            request.entry.record.issuer = operation.issuer(of: parameters)
            request.entry.record.kid = operation.kid(of: parameters)
            let admission = try gate.admit(request, parameters, issuer: operation.issuer(of: parameters))
            try await operation.check(parameters, context)
            return admission
        } catch {
            audit.refuse(request, error)
            return nil
        }
    }

    /// Carries the operation out, records how it went, and replies.
    func carryOut(_ admission: Admission<O.Parameters>, _ entry: AuditEntry, _ context: OperationContext) async {
        let result: O.Parameters.Result
        do {
            result = try await operation.run(admission, context)
        } catch {
            let error = mapped(error, entry.record.method)
            return admission.reply.fail(error, audit.recordRefusal(entry, error))
        }
        let receipt = await audit.recordDone(entry)
        if let error = receipt.error {
            operation.unrecorded(context)
            return admission.reply.fail(ProtocolError(error), receipt)
        }
        admission.reply.succeed(result, receipt)
        operation.replied(result, context)
    }

    /// What the caller is told of an error. Its details are for the agent's own log.
    private func mapped(_ error: any Error, _ method: Method) -> ProtocolError {
        let mapped = ProtocolError(mapping: error)
        if mapped.reason == .internalError {
            log.error("a request failed", metadata: ["method": "\(method)", "reason": "\(error)"])
        }
        return mapped
    }
}

extension OperationSteps where O: ChangeOperation {
    /// Makes the change between two records, and replies with what happened, whether or not the second can be written.
    func change(_ admission: Admission<O.Parameters>, _ context: OperationContext) async {
        let change = await audit.recordChange(admission.entry) {
            try await operation.run(admission, context)
        } completing: { record, result in
            operation.complete(&record, with: result)
        }
        switch change.outcome {
        case .success(var result):
            if change.receipt.error != nil {
                result.warnings.append("it is done, but the audit log could not record that; only that it was asked for")
            }
            admission.reply.succeed(result, change.receipt)
            operation.replied(result, context)
        case .failure(let error):
            admission.reply.fail(mapped(error, admission.entry.record.method), change.receipt)
        }
    }
}
