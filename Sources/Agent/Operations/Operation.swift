import AgentProtocol

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
    func run(_ admission: Admission<Parameters>, _ context: OperationContext) async throws -> Parameters.Result

    /// Called once the reply with this result has been handed to the connection.
    func replied(_ result: Parameters.Result, _ context: OperationContext)

    /// Called when what was done could not be recorded, before the caller is told so in place of the result.
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
