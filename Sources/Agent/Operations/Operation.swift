import AgentProtocol
import IssuerStore
import KeyLifecycle

/// What one method does. `sign` is not among them: it neither waits nor decodes like the others.
protocol Operation: Sendable {
    associatedtype Parameters: RequestParameters

    /// - Throws: anything `ProtocolError(mapping:)` knows.
    func run(_ parameters: Parameters, _ context: OperationContext) async throws -> Parameters.Result

    /// Called once the reply has been handed to the connection, whether the operation succeeded or not.
    func replied(_ context: OperationContext)
}

extension Operation {
    func replied(_ context: OperationContext) {}
}

/// What an operation knows of its request.
struct OperationContext: Sendable {
    let caller: Caller
    let connection: ConnectionID
    let notifications: any NotificationSink
}

/// The operations of an agent, by method.
struct OperationTable: Sendable {
    /// Carries a request out and hands over its one reply line.
    typealias Handler = @Sendable (Request, OperationContext, _ reply: @Sendable ([UInt8]) -> Void) async -> Void

    private var handlers: [Method: Handler] = [:]

    mutating func add<O: Operation>(_ operation: O) {
        handlers[O.Parameters.method] = { request, context, reply in
            do {
                let parameters = try ParameterDecoder.decode(O.Parameters.self, from: request.params)
                reply(ReplyLine.success(id: request.id, result: try await operation.run(parameters, context)))
            } catch {
                reply(ReplyLine.failure(id: request.id, ProtocolError(mapping: error)))
            }
            operation.replied(context)
        }
    }

    subscript(method: Method) -> Handler? { handlers[method] }
}
