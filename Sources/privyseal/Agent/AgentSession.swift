import AgentClient
import AgentProtocol

/// A conversation with the agent: method and params as JSON in, the reply's `result` as JSON out.
///
/// JSON, so that what is printed has the agent's members in the agent's order, later ones included.
protocol AgentSession: Sendable {
    /// Throws `ProtocolError` when the agent refuses, `AgentUnreachable` when it is not there.
    func call(_ method: AgentProtocol.Method, _ params: JSONValue?) async throws -> JSONValue
    func close() async
}

extension AgentSession {
    /// Calls a method of this protocol version.
    func call<Parameters: RequestParameters>(_ parameters: Parameters) async throws -> Reply<Parameters.Result> {
        Reply(
            method: Parameters.method, tree: try await call(Parameters.method, try JSONValue(encoding: parameters)))
    }

    /// All pages of a list as one: an object with the member `list` and no cursor.
    func callPages<Parameters: PagedParameters>(
        list: String, _ page: (_ cursor: String?) -> Parameters
    ) async throws -> JSONValue {
        var entries: [JSONValue] = []
        var cursor: String?
        repeat {
            let tree = try await call(page(cursor)).tree
            guard let elements = tree[list]?.elements else {
                throw Reply<Parameters.Result>.notUnderstood(Parameters.method, "it has no \(list)")
            }
            entries += elements
            let next = tree["nextCursor"]?.string
            guard next == nil || next != cursor else {
                throw Reply<Parameters.Result>.notUnderstood(Parameters.method, "its pages do not end")
            }
            cursor = next
        } while cursor != nil
        return .object([JSONValue.Member(list, .array(entries))])
    }
}

/// The `result` of a reply.
struct Reply<Result: Decodable> {
    let method: AgentProtocol.Method
    /// As the agent wrote it.
    let tree: JSONValue

    /// As this protocol version knows it.
    func decoded() throws -> Result {
        do {
            return try tree.decode(Result.self)
        } catch {
            throw Self.notUnderstood(method, "\(error)")
        }
    }

    static func notUnderstood(_ method: AgentProtocol.Method, _ why: String) -> Failure {
        Failure(
            .failed, "the agent's reply to \(method) is not understood: \(why)",
            hint: "compare the versions of client and agent with `privyseal version`")
    }
}

extension AgentSession {
    /// Carries out a change of an issuer on the generation it was confirmed for.
    ///
    /// The agent may have moved the issuer on meanwhile, such as by publishing a standby key after a rotation. It is looked at
    /// again then, and as long as the question would be the same, so is the answer.
    func callConfirmed<Parameters: RequestParameters>(
        _ status: IssuerStatus, question: (IssuerStatus) -> String?, _ parameters: (_ generation: Int) -> Parameters
    ) async throws -> Reply<Parameters.Result> {
        var generation = status.generation
        for _ in 1...3 {
            do {
                return try await call(parameters(generation))
            } catch let error as ProtocolError where error.reason == .conflict {
                let now = try await call(IssuerStatusParameters(issuer: status.name)).decoded()
                guard now.generation != generation, now.createdAt == status.createdAt, question(now) == question(status)
                else { throw error }
                generation = now.generation
            }
        }
        return try await call(parameters(generation))
    }
}

/// A connection to the agent's Unix socket.
struct AgentSocket: AgentSession {
    private let client: AgentConnection

    /// Throws `AgentUnreachable`.
    init(path: String) async throws {
        client = try await AgentConnection.connect(socketPath: path)
    }

    func call(_ method: AgentProtocol.Method, _ params: JSONValue?) async throws -> JSONValue {
        try JSONValue(parsing: try await client.callRaw(method, params: params.map { JSONSlice($0) }))
    }

    func close() async {
        await client.close()
    }
}
