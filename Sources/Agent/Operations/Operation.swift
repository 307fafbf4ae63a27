import AgentProtocol
import IssuerStore
import KeyLifecycle

/// What one method does. `sign` is not among them: it neither waits nor decodes like the others.
protocol Operation: Sendable {
    associatedtype Parameters: RequestParameters

    /// - Throws: anything `ProtocolError(mapping:)` knows.
    func run(_ parameters: Parameters, _ context: OperationContext) async throws -> Parameters.Result
}

/// What an operation knows of its request.
struct OperationContext: Sendable {
    let caller: Caller
    let connection: ConnectionID
    let notifications: any NotificationSink
}

/// The operations of an agent, by method.
struct OperationTable: Sendable {
    typealias Handler = @Sendable (Request, OperationContext) async -> [UInt8]

    private var handlers: [Method: Handler] = [:]

    mutating func add<O: Operation>(_ operation: O) {
        handlers[O.Parameters.method] = { request, context in
            do {
                let parameters = try ParameterDecoder.decode(O.Parameters.self, from: request.params)
                return ReplyLine.success(id: request.id, result: try await operation.run(parameters, context))
            } catch {
                return ReplyLine.failure(id: request.id, ProtocolError(mapping: error))
            }
        }
    }

    subscript(method: Method) -> Handler? { handlers[method] }
}
