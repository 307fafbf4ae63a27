import AgentClient
import AgentProtocol
import FaultyTokenSupport
import Foundation
import Glibc
import Platform
import ProtocolSupport
import SoftHSMSupport
import Testing

@testable import Agent

/// How an error that `protocol.md` shows comes about, in the order of the document.
private struct DocumentedError: Sendable, CustomTestStringConvertible {
    /// The method whose section the error stands in; `nil` before the first.
    let section: Method?
    let testDescription: String
    /// What makes the agent give it.
    let provoke: @Sendable () async throws -> JSONValue

    private init(_ section: Method?, _ what: String, _ provoke: @escaping @Sendable () async throws -> JSONValue) {
        self.section = section
        testDescription = what
        self.provoke = provoke
    }

    /// What a line gets as the first of an agent that has the issuer "demo", or of which `prepare` has made something else.
    private static func asked(
        _ section: Method?, _ what: String, _ line: String,
        _ configure: @escaping @Sendable (inout AgentConfiguration) -> Void = { _ in },
        prepare: @escaping @Sendable (AgentFixture, AgentConnection) async throws -> Void = { _, client in
            try await client.create()
        }
    ) -> DocumentedError {
        DocumentedError(section, what) {
            let reply = Locked(JSONValue.null)
            try await AgentFixture.with(configure) { agent, client in
                try await prepare(agent, client)
                let answer = try await RawSocket(agent.socketPath).ask(line)
                reply.withLock { $0 = answer }
            }
            return reply.withLock { $0 }
        }
    }

    /// As `asked`, by a call with these parameters.
    private static func called(
        _ method: Method, _ what: String, _ params: String,
        _ configure: @escaping @Sendable (inout AgentConfiguration) -> Void = { _ in },
        prepare: @escaping @Sendable (AgentFixture, AgentConnection) async throws -> Void = { _, client in
            try await client.create()
        }
    ) -> DocumentedError {
        asked(
            method, what, #"{"jsonrpc":"2.0","id":1,"method":"\#(method)","params":\#(params)}"#, configure, prepare: prepare)
    }

    /// The caller may call everything but one method.
    private static func forbid(_ method: Method) -> @Sendable (inout AgentConfiguration) -> Void {
        { (configuration: inout AgentConfiguration) in
            var rule = AccessRule(name: "access[0]", user: getuid(), methods: Set(Method.all))
            rule.methods?.remove(method)
            configuration.access = AccessPolicy(rules: [rule], overflowUID: 65_534, overflowGID: 65_534)
        }
    }

    static let all: [DocumentedError] = [
        asked(
            nil, "an unknown issuer", #"{"jsonrpc":"2.0","id":"a2","method":"issuer-status","params":{"issuer":"demmo"}}"#),
        asked(nil, "no JSON", "hello"),
        asked(nil, "a batch", "[]"),
        asked(nil, "a long line", String(repeating: "x", count: ProtocolLimits.requestLine + 1)),
        asked(nil, "an unknown method", #"{"jsonrpc":"2.0","id":3,"method":"sing"}"#),
        called(
            .sign, "a lifetime of two days",
            #"{"issuer":"demo","claims":{"sub":"a","aud":"b","exp":\#(TestClock.start + 172_800)}}"#),
        called(.sign, "claims that are read in two ways", #"{"issuer":"demo","claims":{"aud":"b","SUB":"c"}}"#),
        called(
            .sign, "a payload with a fraction",
            #"{"issuer":"demo","payload":"\#(Data(#"{"iss":"a","sub":"b","aud":"c","iat":1,"exp":1.5}"#.utf8).base64URL)"}"#),
        called(.listKeys, "a mistyped limit", #"{"limit":"10"}"#),
        called(
            .rotate, "another generation", #"{"issuer":"demo","ifGeneration":7}"#,
            prepare: { _, client in
                try await client.create()
                // Each is one generation more.
                var lifetime = 3_000
                while try await client.status().generation < 8 {
                    lifetime += 1
                    _ = try await client.call(IssuerUpdateParameters(issuer: "demo", settings: .init(lifetimeSeconds: lifetime)))
                }
            }),
        called(
            .rotate, "a rotation that would revoke", #"{"issuer":"demo","noRevoke":true}"#,
            prepare: { _, client in
                try await client.create()
                try await client.rotate()
            }),
        called(.revokeKey, "an unknown key", #"{"kid":"sx9NogMJNENEXjrRlrWzDhV6w9V0ZM5XnKTyeejFQqw"}"#),
        called(.issuerStatus, "an unknown issuer", #"{"issuer":"demmo"}"#),
        called(
            .issuerCreate, "an issuer that exists", #"{"issuer":"billing"}"#,
            prepare: { _, client in
                try await client.create("billing")
            }),
        called(
            .issuerUpdate, "a lifetime beyond the overlap",
            #"{"issuer":"demo","maximumLifetimeSeconds":7200,"overlapSeconds":3600}"#),
        called(.issuerDelete, "a caller without the permission", #"{"issuer":"billing"}"#, forbid(.issuerDelete)),
        called(.issuerList, "an unknown parameter", #"{"pageSize":10}"#),
        called(.getDiscovery, "a missing parameter", "{}"),
        called(.watch, "an unknown parameter", #"{"issuers":["demo"]}"#),
        called(
            .acknowledge, "a caller that does not watch", #"{"issuers":[{"name":"demo","generation":1,"urls":1}]}"#),
        called(.health, "an unknown parameter", #"{"verbose":true}"#),
        called(.version, "a caller that asks too often", "{}") { (configuration: inout AgentConfiguration) in
            var rule = AccessRule(name: "access[0]", user: getuid(), methods: nil)
            rule.rate = AccessRule.Rate(perSecond: 5, burst: 1)
            configuration.access = AccessPolicy(rules: [rule], overflowUID: 65_534, overflowGID: 65_534)
        } prepare: { _, client in
            // The clock stands still: one is all there is.
            _ = try await client.call(VersionParameters())
        },
        called(.metrics, "a caller without the permission", "{}", forbid(.metrics)),
        DocumentedError(.reconcile, "a token that has been taken out") {
            let reply = Locked(JSONValue.null)
            try await AgentFixture.with { agent, token, client in
                try await client.create()
                try token.set(["C_FindObjectsInit return=CKR_DEVICE_REMOVED", "C_OpenSession return=CKR_DEVICE_REMOVED"])
                let answer = try await RawSocket(agent.socketPath).ask(
                    #"{"jsonrpc":"2.0","id":14,"method":"reconcile","params":{}}"#)
                reply.withLock { $0 = answer }
                try token.set([])
            }
            return reply.withLock { $0 }
        },
        called(
            .storeSave, "a file where the store was", "{}",
            prepare: { agent, client in
                try await client.create()
                let path = agent.token.directory + "/store.db"
                try FileManager.default.moveItem(atPath: path, toPath: path + ".moved")
                try Data("another".utf8).write(to: URL(fileURLWithPath: path))
            }),
    ]
}

@Suite("The errors that protocol.md shows")
struct DocumentedErrorTests {
    /// `reload`'s is the configuration's, which the daemon reads: see `ReloadTests`.
    private static func documented() throws -> [ProtocolDocument.Block] {
        try ProtocolDocument().blocks.filter { $0.value["error"] != nil && $0.section != .reload }
    }

    @Test("are all provoked here, in their order")
    func complete() throws {
        #expect(try Self.documented().map(\.section) == DocumentedError.all.map(\.section))
    }

    @Test("are what the agent sends, word for word", arguments: DocumentedError.all.indices)
    func sent(_ index: Int) async throws {
        let documented = try Self.documented()
        try #require(documented.indices.contains(index))
        let error = DocumentedError.all[index]
        let reply = try await error.provoke()
        let sent = try #require(reply["error"], "\(error.testDescription): \(reply)")
        let shown = try #require(documented[index].value["error"])
        #expect(
            sent.withoutCircumstances.text == shown.withoutCircumstances.text,
            "line \(documented[index].line), \(error.testDescription), is \(sent.text)")
    }
}

extension JSONValue {
    fileprivate var text: String { String(decoding: sorted.encoded(), as: UTF8.self) }

    /// Without what is another key's, user's, moment's or directory's each time.
    fileprivate var withoutCircumstances: JSONValue {
        switch self {
        case .string(let text):
            .string(
                text.replacing(/\b[A-Za-z0-9_-]{43}\b/, with: "KID").replacing(/uid \d+/, with: "uid N")
                    .replacing(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/, with: "TIME").replacing(/\/\S+\/(\S+)\.db/, with: "/PATH.db"))
        case .array(let elements): .array(elements.map(\.withoutCircumstances))
        case .object(let members): .object(members.map { Member($0.name, $0.value.withoutCircumstances) })
        default: self
        }
    }
}

extension Data {
    fileprivate var base64URL: String {
        base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }
}
