import AgentProtocol
import Platform

@testable import privyseal

/// An agent that answers each method with what the test wrote down, and remembers what it was asked.
final class ScriptedSession: AgentSession {
    /// A request's answer: a result, or an error to throw.
    typealias Answer = @Sendable (_ params: JSONValue?) throws -> JSONValue

    private let answers: [AgentProtocol.Method: Answer]
    private let asked = Locked<[String]>([])
    private let isOpen = Locked(true)

    init(_ answers: [AgentProtocol.Method: Answer] = [:]) {
        self.answers = answers
    }

    /// What was asked so far: `method params`, the params as compact JSON.
    var requests: [String] { asked.withLock { $0 } }

    /// Whether the client has not hung up yet.
    var isConnected: Bool { isOpen.withLock { $0 } }

    func call(_ method: AgentProtocol.Method, _ params: JSONValue?) async throws -> JSONValue {
        let request = params.map { "\(method) \($0.cell)" } ?? method.rawValue
        asked.withLock { $0.append(request) }
        guard let answer = answers[method] else {
            throw ProtocolError(.methodNotFound, "there is no method \(method)")
        }
        return try answer(params)
    }

    func close() async {
        isOpen.withLock { $0 = false }
    }
}
