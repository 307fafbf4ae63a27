import EtcdSupport
import Foundation
import Platform
import TestSupport
import Testing

@testable import EtcdStore

/// What a real etcd does not do on command.
@Suite("The gateway's client and a member that misbehaves")
struct ScriptedGatewayTests {
    private static let header = #""header":{"cluster_id":"1","member_id":"1","revision":"9"}"#
    private static let found = #"{\#(header),"kvs":[{"key":"a2V5","value":"dg==","mod_revision":"9"}],"count":"1"}"#

    private func failure(_ body: () async throws -> Void) async -> EtcdError? {
        do {
            try await body()
            return nil
        } catch {
            return error as? EtcdError
        }
    }

    private func watchEnd(
        _ endpoint: EtcdEndpoint, idle: Duration = .seconds(30), line: Int = 1 << 20,
        _ body: @escaping @Sendable (EtcdWatchMessage) -> Void = { _ in }
    ) async throws -> EtcdError? {
        try await EtcdGateway.with([endpoint], { ($0.limits.watchIdle, $0.limits.watchLine) = (idle, line) }) { gateway in
            await failure { try await gateway.watch(.prefix("k"), from: 1) { body($0) } }
        }
    }

    @Test("a watch reads its lines however they are split, after a head that comes late")
    func splitLines() async throws {
        let begin = #"{"result":{\#(Self.header),"created":true}}"#
        let event =
            #"{"result":{\#(Self.header),"events":[{"kv":{"key":"a2V5","mod_revision":"10"}},"#
            + #"{"type":"DELETE","kv":{"key":"a2V6","mod_revision":"11"}}]}}"#
        let pieces = (begin + "\n" + event + "\n").map { ScriptedServer.Step.bytes(String($0)) }
        let heard = Locked<[EtcdWatchMessage]>([])
        let end = try await ScriptedServer.run({ _ in [.wait(.milliseconds(300)), .head()] + pieces + [.end] }) { endpoint in
            try await watchEnd(endpoint) { message in heard.withLock { $0.append(message) } }
        }
        let messages = heard.withLock { $0 }
        #expect(messages.map(\.isBeginning) == [true, false])
        #expect(messages.last?.events.map(\.value.name) == ["key", "kez"])
        #expect(messages.last?.events.map(\.isDeletion) == [false, true])
        #expect(end?.code == .watchEnded)
        #expect(end?.message.contains("was closed") == true)
    }

    @Test(
        "a watch that etcd ends says so by its code",
        arguments: [
            (#"{"result":{"header":{},"canceled":true,"compact_revision":"40"}}"#, EtcdError.Code.compacted),
            (#"{"result":{"header":{},"compact_revision":"40"}}"#, .compacted),
            (#"{"result":{"header":{},"created":true,"canceled":true,"cancel_reason":"no\nway"}}"#, .watchEnded),
            (#"{"error":{"grpc_code":14,"http_code":503,"message":"transport is closing"}}"#, .watchEnded),
            (#"{"error":{"code":14,"message":"transport is closing"}}"#, .watchEnded),
            ("nonsense", .unreadable),
        ])
    func watchEnds(line: String, code: EtcdError.Code) async throws {
        let end = try await ScriptedServer.run({ _ in [.head(), .bytes(line + "\n")] + ScriptedServer.silence }) { endpoint in
            try await watchEnd(endpoint)
        }
        #expect(end?.code == code)
        #expect(end?.message.contains("127.0.0.1") == true && end?.message.contains("\n") == false)
    }

    @Test("a watch that is silent, before its head as after it, is taken for dead", arguments: [false, true])
    func idle(hasHead: Bool) async throws {
        let end = try await ScriptedServer.run({ _ in (hasHead ? [.head()] : []) + ScriptedServer.silence }) { endpoint in
            try await watchEnd(endpoint, idle: .milliseconds(200))
        }
        #expect(end?.code == .watchEnded)
    }

    @Test("a line over the limit ends a watch")
    func longLine() async throws {
        let end = try await ScriptedServer.run({ _ in
            [.head(), .bytes(String(repeating: "x", count: 101))] + ScriptedServer.silence
        }) { endpoint in try await watchEnd(endpoint, line: 100) }
        #expect(end?.code == .watchEnded)
        #expect(end?.message.contains("100 bytes") == true)
    }

    @Test("a watch ends with its caller")
    func cancelledWatch() async throws {
        let (begun, beginning) = AsyncStream<Void>.makeStream()
        let line = #"{"result":{\#(Self.header),"created":true}}"# + "\n"
        try await ScriptedServer.run({ _ in [.head(), .bytes(line)] + ScriptedServer.silence }) { endpoint in
            try await EtcdGateway.with([endpoint]) { gateway in
                let watching = Task { try await gateway.watch(.prefix("k"), from: 1) { _ in beginning.yield() } }
                for await _ in begun { break }
                watching.cancel()
                await #expect(throws: CancellationError.self) { try await watching.value }
            }
        }
    }

    @Test("an answer has to be complete within its time, and the next member is asked")
    func slowBody() async throws {
        try await ScriptedServer.run({ _ in [.head(), .bytes("{")] + ScriptedServer.silence }) { slow in
            try await ScriptedServer.run({ _ in ScriptedServer.json(Self.found) }) { good in
                try await EtcdGateway.with([slow, good], { ($0.limits.attempt, $0.limits.call) = (.seconds(2), .seconds(60)) }) {
                    gateway in
                    let found = try await gateway.read(.key("key")).values
                    #expect(found.map(\.name) == ["key"])
                    #expect(gateway.troubles.keys.map(\.self) == [slow])
                    #expect(gateway.troubles[slow]?.message.contains("did not answer within") == true)
                    #expect(gateway.troubles[slow]?.hint.contains("check its disk and its load") == true)
                }
                let error: EtcdError? = try await EtcdGateway.with(
                    [slow], { ($0.limits.attempt, $0.limits.call) = (.seconds(60), .milliseconds(200)) }
                ) { gateway in await failure { _ = try await gateway.read(.key("key")) } }
                #expect(error?.code == .unreachable && error?.hint.contains("check its disk") == true)
            }
        }
    }

    @Test("a change that may have arrived and was not answered is undecided; a read has merely failed")
    func undecided() async throws {
        try await ScriptedServer.run({ _ in [.close] }) { endpoint in
            try await EtcdGateway.with([endpoint]) { gateway in
                #expect(await failure { _ = try await gateway.put("k", []) }?.code == .undecided)
                #expect(await failure { _ = try await gateway.read(.key("k")) }?.code == .unreachable)
                let reading = EtcdTransaction(success: [.get(.key("k"))])
                #expect(await failure { _ = try await gateway.carryOut(reading) }?.code == .unreachable)
            }
        }
        // Nobody listens there any more.
        let closed = try await ScriptedServer.run({ _ in [.close] }) { $0 }
        try await EtcdGateway.with([closed]) { gateway in
            let error = await failure { _ = try await gateway.put("k", []) }
            #expect(error?.code == .unreachable)
            #expect(error?.message.contains("refused the connection") == true)
        }
    }

    @Test("a transaction that was sent again says so")
    func repeated() async throws {
        let count = Locked(0)
        let script: @Sendable (ScriptedServer.Request) async throws -> [ScriptedServer.Step] = { _ in
            count.withLock { $0 += 1 } as Void
            return count.withLock { $0 } == 1 ? [.close] : ScriptedServer.json("{\(Self.header)}")
        }
        try await ScriptedServer.run(script) { endpoint in
            try await EtcdGateway.with([endpoint]) { gateway in
                let outcome = try await gateway.carryOut(EtcdTransaction(success: [.put("k", [])]))
                #expect(!outcome.succeeded && outcome.isRepeated)
                #expect(try await gateway.carryOut(EtcdTransaction(success: [.put("k", [])])).isRepeated == false)
            }
        }
    }

    @Test(
        "faults of either form mean the same",
        arguments: [
            (#"{"error":"etcdserver: permission denied","code":7}"#, 403, EtcdError.Code.permissionDenied),
            (#"{"code":7,"message":"etcdserver: permission denied","details":[]}"#, 403, .permissionDenied),
            (#"{"code":8,"message":"etcdserver: too many requests"}"#, 429, .overloaded),
            (#"{"code":14,"message":"etcdserver: no leader"}"#, 503, .unreachable),
            (#"{"error":{"code":12,"message":"unknown method"}}"#, 200, .tooOld),
            (#"{"code":3,"message":"etcdserver: duplicate key given in txn request"}"#, 400, .refused),
            ("404 page not found", 404, .gatewayOff), ("<html>", 200, .unreadable), ("<html>", 502, .unreachable),
            ("Bad Request", 400, .unreadable), (#"{"header":{"cluster_id":"x"}}"#, 200, .unreadable),
        ])
    func faults(body: String, status: Int, code: EtcdError.Code) async throws {
        let script: @Sendable (ScriptedServer.Request) async throws -> [ScriptedServer.Step] = { request in
            switch request.path {
            case "/v3/auth/authenticate": ScriptedServer.json(#"{"code":9,"message":"authentication is not enabled"}"#, 412)
            case "/v3/maintenance/alarm": ScriptedServer.json("{}")
            default: ScriptedServer.json(body, status)
            }
        }
        let error: EtcdError? = try await ScriptedServer.run(script) { endpoint in
            try await EtcdGateway.with([endpoint]) { gateway in await failure { _ = try await gateway.read(.key("k")) } }
        }
        #expect(error?.code == code)
        for line in [error?.message, error?.hint] { #expect(line?.isEmpty == false && line?.contains("\n") == false) }
        #expect(error?.message.contains("http://127.0.0.1:") == true)
    }

    @Test("a member of another cluster is never believed")
    func otherCluster() async throws {
        let other = Self.found.replacingOccurrences(of: #""cluster_id":"1""#, with: #""cluster_id":"255""#)
        try await ScriptedServer.run({ _ in ScriptedServer.json(Self.found) }) { first in
            let count = Locked(0)
            let script: @Sendable (ScriptedServer.Request) async throws -> [ScriptedServer.Step] = { _ in
                count.withLock { $0 += 1 } as Void
                return count.withLock { $0 } == 1 ? ScriptedServer.json(Self.found) : ScriptedServer.json(other)
            }
            try await ScriptedServer.run(script) { endpoint in
                try await EtcdGateway.with([endpoint, first]) { gateway in
                    _ = try await gateway.read(.key("k"))
                    // Of the next one, which is of the cluster that it was.
                    #expect(try await gateway.read(.key("k")).values.count == 1)
                    let error = gateway.troubles[endpoint]
                    #expect(error?.code == .otherCluster)
                    #expect(error?.message.contains("cluster ff") == true)
                }
                count.withLock { $0 = 0 }
                try await EtcdGateway.with([endpoint]) { gateway in
                    _ = try await gateway.read(.key("k"))
                    let error = await failure { _ = try await gateway.read(.key("k")) }
                    #expect(error?.code == .otherCluster)
                    #expect(error?.message.contains("cluster ff") == true)
                }
            }
        }
    }

    @Test("a release that closes the connection at an expired token is signed in to again, and asked again")
    func closedAtToken() async throws {
        let given = Locked(0)
        let script: @Sendable (ScriptedServer.Request) async throws -> [ScriptedServer.Step] = { request in
            if request.path == "/v3/auth/authenticate" {
                given.withLock { $0 += 1 } as Void
                return ScriptedServer.json(#"{\#(Self.header),"token":"t\#(given.withLock { $0 })"}"#)
            }
            return request.token == "t1" ? [.close] : ScriptedServer.json(Self.found)
        }
        try await withSecret("pw") { password in
            try await ScriptedServer.run(script) { endpoint in
                try await EtcdGateway.with([endpoint], { $0.user = .init(name: "u", passwordFile: password) }) { gateway in
                    let found = try await gateway.read(.key("key")).values
                    #expect(found.count == 1)
                    #expect(given.withLock { $0 } == 2)
                }
            }
        }
    }

    @Test("many calls at once sign in once")
    func signsInOnce() async throws {
        let given = Locked(0)
        let script: @Sendable (ScriptedServer.Request) async throws -> [ScriptedServer.Step] = { request in
            guard request.path == "/v3/auth/authenticate" else { return ScriptedServer.json(Self.found) }
            given.withLock { $0 += 1 } as Void
            return [.wait(.milliseconds(50))] + ScriptedServer.json(#"{\#(Self.header),"token":"t"}"#)
        }
        try await withSecret("pw") { password in
            try await ScriptedServer.run(script) { endpoint in
                try await EtcdGateway.with([endpoint], { $0.user = .init(name: "u", passwordFile: password) }) { gateway in
                    await withTaskGroup(of: Void.self) { group in
                        for _ in 0..<10 { group.addTask { _ = try? await gateway.read(.key("key")) } }
                    }
                    #expect(given.withLock { $0 } == 1)
                }
            }
        }
    }

    @Test("an old release is named as one before anything is asked of it")
    func old() async throws {
        try await ScriptedServer.run({ _ in ScriptedServer.json(#"{"etcdserver":"3.3.27","etcdcluster":"3.3.0"}"#) }) {
            endpoint in
            try await EtcdGateway.with([endpoint]) { gateway in
                let error = await failure { _ = try await gateway.check() }
                #expect(error?.code == .tooOld)
                #expect(error?.message.contains("3.3.27") == true)
            }
        }
    }

    @Test("the moment at which a read was sent is taken before it is sent, and anew for each member")
    func sentAt() async throws {
        let closed = try await ScriptedServer.run({ _ in [.close] }) { $0 }
        let moments = Locked<Int64>(0)
        try await ScriptedServer.run({ _ in
            moments.withLock { $0 += 100 } as Void
            return ScriptedServer.json(Self.found)
        }) { endpoint in
            let clock: @Sendable () -> Int64 = {
                moments.withLock {
                    $0 += 1
                    return $0
                }
            }
            // Of a busy machine nothing is expected in time.
            let patient: (inout EtcdAccess) -> Void = { ($0.limits.attempt, $0.limits.call) = (.seconds(60), .seconds(120)) }
            try await EtcdGateway.with([closed, endpoint], patient, clock: clock) { gateway in
                let reading = try await gateway.read(.key("key"))
                #expect(reading.sentAt == 2)
                #expect(moments.withLock { $0 } == 102)
            }
        }
    }
}

/// Runs `body` with a file of mode 0600 that holds the text.
func withSecret(_ text: String, _ body: (String) async throws -> Void) async throws {
    try await withTemporaryDirectory { directory in
        try writeFile("\(directory)/secret", text)
        try await body("\(directory)/secret")
    }
}
