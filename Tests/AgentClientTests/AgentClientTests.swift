import AgentProtocol
import Foundation
import NIOCore
import Testing

@testable import AgentClient

@Suite("Agent client")
struct AgentClientTests {
    private static let version = VersionResult(agentVersion: "1", protocolVersion: "1.0", oldestClient: "1")

    @Test("a call returns what the agent returned")
    func call() async throws {
        try await ScriptedServer.with { requests in
            let request = requests[requests.count - 1]
            guard request.method == .rotate, let params = request.params,
                Array(params.bytes) == Array(#"{"issuer":"demo","ifGeneration":4}"#.utf8)
            else { return [.failure(request, ProtocolError(.invalidParams, "unexpected"))] }
            let plan = RotationPlanView(generation: 4, incoming: nil, retiring: nil, revoked: [], standbyFollows: true)
            let result = RotationResult(
                issuer: "demo", dryRun: false, plan: plan, activeKid: "k", generation: 5, exposureSeconds: 0, warnings: [])
            return [.result(request, result)]
        } _: { path in
            let client = try await AgentConnection.connect(socketPath: path)
            let result = try await client.call(RotateParameters(issuer: "demo", ifGeneration: 4))
            #expect(result.activeKid == "k")
            #expect(result.generation == 5)
            await client.close()
        }
    }

    @Test("an error of the agent comes through as it is, and the connection lives on")
    func failure() async throws {
        try await ScriptedServer.with { requests in
            let request = requests[requests.count - 1]
            return requests.count == 1
                ? [.failure(request, ProtocolError(.conflict, "no", hint: "look", details: ["generation": 5]))]
                : [.result(request, Self.version)]
        } _: { path in
            let client = try await AgentConnection.connect(socketPath: path)
            let error = await #expect(throws: ProtocolError.self) { try await client.call(VersionParameters()) }
            #expect(error?.reason == .conflict)
            #expect(error?.hint == "look")
            #expect(error?.details["generation"] == 5)
            #expect(try await client.call(VersionParameters()) == Self.version)
        }
    }

    @Test("many calls share a connection, whatever the order of the replies")
    func pipelining() async throws {
        let count = 200
        try await ScriptedServer.with { requests in
            // Silent until all are there, then the last first.
            guard requests.count == count else { return [] }
            return requests.reversed().map { request in
                let params = try? ParameterDecoder.decode(IssuerDeleteParameters.self, from: request.params)
                return .result(request, IssuerDeleteResult(issuer: params?.issuer ?? "", revoked: [], exposureSeconds: 0))
            }
        } _: { path in
            let client = try await AgentConnection.connect(socketPath: path)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<count {
                    group.addTask {
                        let result = try await client.call(IssuerDeleteParameters(issuer: "i\(index)"))
                        #expect(result.issuer == "i\(index)")
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test("a raw call keeps the reply's own bytes")
    func raw() async throws {
        try await ScriptedServer.with { requests in
            [.text("{\"result\":{\"z\":1.0,\"a\": [1e2]},\"id\":\(requests[0].id),\"jsonrpc\":\"2.0\",\"later\":1}\n")]
        } _: { path in
            let client = try await AgentConnection.connect(socketPath: path)
            let result = try await client.callRaw(Method(rawValue: "new-method"), params: nil)
            #expect(String(decoding: result.bytes, as: UTF8.self) == #"{"z":1.0,"a": [1e2]}"#)
        }
    }

    @Test("replies may come in any pieces")
    func pieces() async throws {
        try await ScriptedServer.with { requests in
            ReplyLine.success(id: requests[requests.count - 1].id, result: Self.version).map { .send([$0]) }
        } _: { path in
            let client = try await AgentConnection.connect(socketPath: path)
            #expect(try await client.call(VersionParameters()) == Self.version)
            #expect(try await client.call(VersionParameters()) == Self.version)
        }
    }

    @Test("a result of another form is said to be that")
    func unexpectedResult() async throws {
        try await ScriptedServer.with { requests in
            [.result(requests[requests.count - 1], ["agentVersion": "1"])]
        } _: { path in
            let client = try await AgentConnection.connect(socketPath: path)
            let error = await #expect(throws: UnexpectedResult.self) { try await client.call(VersionParameters()) }
            #expect(error?.method == .version)
        }
    }

    @Test("a request that is too long is refused here, and the connection lives on")
    func tooLong() async throws {
        try await ScriptedServer.with { requests in
            [.result(requests[requests.count - 1], Self.version)]
        } _: { path in
            let client = try await AgentConnection.connect(socketPath: path)
            let payload = String(repeating: "x", count: ProtocolLimits.requestLine)
            let error = await #expect(throws: ProtocolError.self) {
                try await client.call(SignParameters(issuer: "demo", payload: payload))
            }
            #expect(error?.reason == .lineTooLong)
            #expect(try await client.call(VersionParameters()) == Self.version)
        }
    }

    @Test("a cancelled call ends at once, and its late reply disturbs nobody")
    func cancellation() async throws {
        try await ScriptedServer.with { requests in
            // The first is answered together with the second.
            requests.count == 1 ? [] : requests.map { .result($0, Self.version) }
        } _: { path in
            let client = try await AgentConnection.connect(socketPath: path)
            let call = Task { try await client.call(VersionParameters()) }
            call.cancel()
            await #expect(throws: CancellationError.self) { try await call.value }
            // Whether the first was sent before it was cancelled is open; these get their replies in any case.
            async let second = client.call(VersionParameters())
            async let third = client.call(VersionParameters())
            #expect(try await [second, third] == [Self.version, Self.version])
        }
    }
}
