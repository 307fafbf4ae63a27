import AgentProtocol
import IssuerStore
import KeyLifecycle
import Logging

/// What one method does. `sign` is not among them: it neither waits nor decodes like the others.
protocol Operation: Sendable {
    associatedtype Parameters: RequestParameters

    /// The issuer that a request is about; `nil` when it is about none, or about all that the caller may see.
    func issuer(of parameters: Parameters) -> String?

    /// The kid of the key that a request names, if it names one.
    func kid(of parameters: Parameters) -> String?

    /// Whether the caller may have this done, as far as its rule does not say so by itself. Nothing has been recorded yet.
    func check(_ parameters: Parameters, _ context: OperationContext) async throws(ProtocolError)

    /// - Throws: anything `ProtocolError(mapping:)` knows.
    func run(_ parameters: Parameters, _ context: OperationContext) async throws -> Parameters.Result

    /// Called once the reply with this result has been handed to the connection.
    func replied(_ result: Parameters.Result, _ context: OperationContext)

    /// Called when what was done could not be recorded, and the caller is told so in place of the result.
    func unrecorded(_ context: OperationContext)
}

extension Operation {
    func issuer(of parameters: Parameters) -> String? { nil }

    func kid(of parameters: Parameters) -> String? { nil }

    func check(_ parameters: Parameters, _ context: OperationContext) async throws(ProtocolError) {}

    func replied(_ result: Parameters.Result, _ context: OperationContext) {}

    func unrecorded(_ context: OperationContext) {}
}

/// An operation that changes something: recorded before it is carried out, and after.
protocol ChangeOperation: Operation where Parameters.Result: ChangeResult {
    /// Whether this request only asks what would be changed.
    func isDryRun(_ parameters: Parameters) -> Bool

    /// What of the result the record of the outcome has to name beyond the request.
    func complete(_ record: inout AuditRecord, with result: Parameters.Result)
}

extension ChangeOperation {
    func isDryRun(_ parameters: Parameters) -> Bool { false }

    func complete(_ record: inout AuditRecord, with result: Parameters.Result) {}
}

/// What an operation knows of its request.
struct OperationContext: Sendable {
    let caller: Caller
    let connection: ConnectionID
    let notifications: any NotificationSink
}

/// What a caller may see, for operations that are about more than one issuer.
struct Visibility: Sendable {
    let gate: Gate

    func shows(_ issuer: String, to context: OperationContext, by method: Method) -> Bool {
        gate.mayUse(context.caller, method, issuer: issuer)
    }

    func showsAll(to context: OperationContext, by method: Method) -> Bool {
        gate.mayUseAll(context.caller, method)
    }
}

/// The operations of an agent, by method.
struct OperationTable: Sendable {
    /// Carries a request out, records it and hands over its one reply line.
    typealias Handler = @Sendable (Request, AuditEntry, OperationContext, _ reply: @Sendable ([UInt8]) -> Void) async -> Void

    /// Carries an admitted request out and records how it went.
    private typealias Performance<O: Operation> =
        @Sendable (O.Parameters, AuditEntry, OperationContext) async throws -> O.Parameters.Result

    private let gate: Gate
    private let audit: AuditLog
    private let log: Logger
    private var handlers: [Method: Handler] = [:]
    private var changes: Set<Method> = []

    init(gate: Gate, audit: AuditLog, log: Logger) {
        self.gate = gate
        self.audit = audit
        self.log = log
    }

    mutating func add<O: Operation>(_ operation: O) {
        add(operation, performing: audit.recording(operation))
    }

    mutating func add<O: ChangeOperation>(_ operation: O) {
        changes.insert(O.Parameters.method)
        let asking = audit.recording(operation)
        let changing = audit.recordingChange(operation)
        add(operation) { parameters, entry, context in
            guard operation.isDryRun(parameters) else { return try await changing(parameters, entry, context) }
            var entry = entry
            entry.record.isDryRun = true
            return try await asking(parameters, entry, context)
        }
    }

    private mutating func add<O: Operation>(_ operation: O, performing perform: @escaping Performance<O>) {
        handlers[O.Parameters.method] = { [gate, audit, log] request, entry, context, reply in
            var entry = entry
            let parameters: O.Parameters
            do throws(ProtocolError) {
                parameters = try ParameterDecoder.decode(O.Parameters.self, from: request.params)
                entry.record.issuer = operation.issuer(of: parameters)
                entry.record.kid = operation.kid(of: parameters)
                if request.method.isOpenToAll {
                    try gate.authorizeOpen(context.caller, request.method)
                } else {
                    try gate.authorize(context.caller, request.method, issuer: operation.issuer(of: parameters))
                }
                try await operation.check(parameters, context)
            } catch {
                audit.refused(entry, error)
                return reply(ReplyLine.failure(id: request.id, error))
            }
            do {
                let result = try await perform(parameters, entry, context)
                reply(ReplyLine.success(id: request.id, result: result))
                operation.replied(result, context)
            } catch {
                let mapped = ProtocolError(mapping: error)
                if mapped.reason == .internalError {
                    log.error("a request failed", metadata: ["method": "\(request.method)", "reason": "\(error)"])
                }
                reply(ReplyLine.failure(id: request.id, mapped))
            }
        }
    }

    subscript(method: Method) -> Handler? { handlers[method] }

    /// Whether it changes something: slow enough by itself, and what an operator may need at once.
    func isChange(_ method: Method) -> Bool { changes.contains(method) }
}

extension AuditLog {
    /// The operation, with one record of how it went.
    fileprivate func recording<O: Operation>(
        _ operation: O
    ) -> @Sendable (O.Parameters, AuditEntry, OperationContext) async throws -> O.Parameters.Result {
        { parameters, entry, context in
            let result: O.Parameters.Result
            do {
                result = try await operation.run(parameters, context)
            } catch {
                self.refused(entry, ProtocolError(mapping: error))
                throw error
            }
            guard entry.record.method.isRecorded else { return result }
            do {
                try await self.allowed(entry)
            } catch {
                operation.unrecorded(context)
                throw error
            }
            return result
        }
    }

    /// The operation, with a record before it and one after it. The reply is what happened, whether or not the second can be
    /// written.
    fileprivate func recordingChange<O: ChangeOperation>(
        _ operation: O
    ) -> @Sendable (O.Parameters, AuditEntry, OperationContext) async throws -> O.Parameters.Result {
        { parameters, entry, context in
            var (result, unrecorded) = try await self.recording(entry) {
                try await operation.run(parameters, context)
            } complete: { record, result in
                operation.complete(&record, with: result)
            }
            if unrecorded != nil {
                result.warnings.append("it is done, but the audit log could not record that; only that it was asked for")
            }
            return result
        }
    }
}
