import AgentProtocol
import IssuerStore
import KeyLifecycle
import Logging

/// What one method does. `sign` is not among them: it neither waits nor decodes like the others.
protocol Operation: Sendable {
    associatedtype Parameters: RequestParameters

    /// - Throws: anything `ProtocolError(mapping:)` knows.
    func run(_ parameters: Parameters, _ context: OperationContext) async throws -> Parameters.Result

    /// Called once the reply with this result has been handed to the connection.
    func replied(_ result: Parameters.Result, _ context: OperationContext)
}

extension Operation {
    func replied(_ result: Parameters.Result, _ context: OperationContext) {}
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

    private let log: Logger
    private var handlers: [Method: Handler] = [:]

    init(log: Logger) {
        self.log = log
    }

    mutating func add<O: Operation>(_ operation: O) {
        handlers[O.Parameters.method] = { [log] request, context, reply in
            do {
                let parameters = try ParameterDecoder.decode(O.Parameters.self, from: request.params)
                let result = try await operation.run(parameters, context)
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
}
