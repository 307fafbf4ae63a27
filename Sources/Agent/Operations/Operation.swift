import AgentProtocol
import IssuerStore
import KeyLifecycle
import Logging

/// What one method does. `sign` is not among them: it neither waits nor decodes like the others.
protocol Operation: Sendable {
    associatedtype Parameters: RequestParameters

    /// The issuer that a request is about; `nil` when it is about none, or about all that the caller may see.
    func issuer(of parameters: Parameters) -> String?

    /// - Throws: anything `ProtocolError(mapping:)` knows.
    func run(_ parameters: Parameters, _ context: OperationContext) async throws -> Parameters.Result

    /// Called once the reply with this result has been handed to the connection.
    func replied(_ result: Parameters.Result, _ context: OperationContext)
}

extension Operation {
    func issuer(of parameters: Parameters) -> String? { nil }

    func replied(_ result: Parameters.Result, _ context: OperationContext) {}
}

/// What an operation knows of its request.
struct OperationContext: Sendable {
    let caller: Caller
    let connection: ConnectionID
    let notifications: any NotificationSink
}

/// What a caller may see, for operations that are about more than one issuer.
struct Sight: Sendable {
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
    /// Carries a request out and hands over its one reply line.
    typealias Handler = @Sendable (Request, OperationContext, _ reply: @Sendable ([UInt8]) -> Void) async -> Void

    private let gate: Gate
    private let log: Logger
    private var handlers: [Method: Handler] = [:]

    init(gate: Gate, log: Logger) {
        self.gate = gate
        self.log = log
    }

    mutating func add<O: Operation>(_ operation: O) {
        handlers[O.Parameters.method] = { [gate, log] request, context, reply in
            do {
                let parameters = try ParameterDecoder.decode(O.Parameters.self, from: request.params)
                try gate.authorize(context.caller, request.method, issuer: operation.issuer(of: parameters))
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
