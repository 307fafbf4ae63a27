import AgentProtocol
import Testing

@testable import AgentClient

@Suite("Watching")
struct WatchTests {
    private static let snapshot = WatchSnapshot(revision: 1, issuers: [WatchedIssuer(name: "a", generation: 1)])

    private static func change(_ revision: Int, _ issuers: WatchedIssuer...) -> IssuerChanges {
        IssuerChanges(revision: revision, issuers: issuers)
    }

    @Test("the snapshot comes first, then the changes, with other calls between")
    func watch() async throws {
        try await ScriptedServer.with { requests in
            let request = requests[requests.count - 1]
            switch request.method {
            case .watch:
                // A notification right behind the reply must not be lost.
                return [
                    .result(request, Self.snapshot),
                    .send(ReplyLine.notification(Self.change(2, WatchedIssuer(name: "a", generation: 2)))),
                ]
            default:
                return [
                    .send(ReplyLine.notification(Self.change(5, WatchedIssuer(name: "b", generation: 1, deleted: true)))),
                    .result(request, HealthProblem(component: "x", message: "y", hint: nil)),
                ]
            }
        } _: { path in
            let client = try await AgentConnection.connect(socketPath: path)
            let (snapshot, changes) = try await client.watch()
            #expect(snapshot == Self.snapshot)
            var iterator = changes.makeAsyncIterator()
            #expect(try await iterator.next() == Self.change(2, WatchedIssuer(name: "a", generation: 2)))
            _ = try await client.callRaw(.health, params: nil)
            #expect(try await iterator.next() == Self.change(5, WatchedIssuer(name: "b", generation: 1, deleted: true)))
            await client.close()
            #expect(try await iterator.next() == nil)
        }
    }

    @Test("a lost connection ends the changes with an error, after what came before it")
    func lost() async throws {
        try await ScriptedServer.with { requests in
            [
                .result(requests[0], Self.snapshot),
                .send(ReplyLine.notification(Self.change(2, WatchedIssuer(name: "a", generation: 2)))),
                .close,
            ]
        } _: { path in
            // Nothing but the changes holds the client.
            var iterator = try await AgentConnection.connect(socketPath: path).watch().changes.makeAsyncIterator()
            #expect(try await iterator.next()?.revision == 2)
            await #expect(throws: AgentUnreachable.self) { try await iterator.next() }
        }
    }

    @Test("a refused watch is an error of the agent")
    func refused() async throws {
        try await ScriptedServer.with { requests in
            [.failure(requests[0], ProtocolError(.permissionDenied, "no"))]
        } _: { path in
            let client = try await AgentConnection.connect(socketPath: path)
            await #expect(throws: ProtocolError(.permissionDenied, "")) { try await client.watch() }
        }
    }

    @Test("changes not taken in time are folded into one that names every issuer once, as it is last")
    func folding() async throws {
        let buffer = WatchBuffer()
        buffer.add(Self.change(2, WatchedIssuer(name: "a", generation: 2), WatchedIssuer(name: "b", generation: 4)))
        buffer.add(Self.change(3, WatchedIssuer(name: "c", generation: 1)))
        buffer.add(Self.change(7, WatchedIssuer(name: "a", generation: 5, deleted: true)))
        #expect(
            buffer.take()
                == Self.change(
                    7, WatchedIssuer(name: "b", generation: 4), WatchedIssuer(name: "c", generation: 1),
                    WatchedIssuer(name: "a", generation: 5, deleted: true)))
        #expect(buffer.take() == nil)
        buffer.finish(throwing: nil)
        var signals = buffer.signals.makeAsyncIterator()
        #expect(try await signals.next() != nil)
        #expect(try await signals.next() == nil)
    }
}
