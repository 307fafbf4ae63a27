import AgentClient
import AgentProtocol
import JOSE
import Testing

/// A line that is refused, and how.
struct BadLine: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let bytes: [UInt8]
    let reason: Reason
    /// A part of the message.
    let message: String
    /// The `id` of the reply.
    let id: JSONValue

    init(_ name: String, _ line: String, _ reason: Reason, _ message: String, id: JSONValue = 1) {
        self.init(name, Array(line.utf8), reason, message, id: id)
    }

    init(_ name: String, _ bytes: [UInt8], _ reason: Reason, _ message: String, id: JSONValue = 1) {
        testDescription = name
        self.bytes = bytes
        self.reason = reason
        self.message = message
        self.id = id
    }

    static func call(_ name: String, _ method: String, _ params: String, _ reason: Reason, _ message: String) -> BadLine {
        BadLine(name, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\(method)\",\"params\":\(params)}", reason, message)
    }

    static func claims(_ name: String, _ claims: String, _ reason: Reason = .claimsInvalid, _ message: String) -> BadLine {
        call(name, "sign", "{\"issuer\":\"demo\",\"claims\":\(claims)}", reason, message)
    }

    static let now = 1_795_514_400
    static let kid = String(repeating: "A", count: 43)

    static let envelopes: [BadLine] = [
        BadLine("no JSON", "hello", .parseError, "not JSON", id: nil),
        BadLine("an empty line", "", .parseError, "not JSON", id: nil),
        BadLine("JSON cut short", #"{"jsonrpc":"2.0","id":1"#, .parseError, "not JSON", id: nil),
        BadLine(
            "invalid UTF-8", Array(#"{"jsonrpc":"2.0","id":""#.utf8) + [0xFF] + Array(#""}"#.utf8), .parseError, "UTF-8", id: nil),
        BadLine("no object", "42", .invalidRequest, "object", id: nil),
        BadLine("a batch", #"[{"jsonrpc":"2.0","id":1,"method":"version"}]"#, .invalidRequest, "batches", id: nil),
        BadLine("a notification", #"{"jsonrpc":"2.0","method":"version"}"#, .invalidRequest, "notifications", id: nil),
        BadLine("id null", #"{"jsonrpc":"2.0","id":null,"method":"version"}"#, .invalidRequest, "\"id\"", id: nil),
        BadLine("a fractional id", #"{"jsonrpc":"2.0","id":1.5,"method":"version"}"#, .invalidRequest, "\"id\"", id: nil),
        BadLine("no version", #"{"id":1,"method":"version"}"#, .invalidRequest, "jsonrpc"),
        BadLine("an unknown member", #"{"jsonrpc":"2.0","id":1,"method":"version","parms":{}}"#, .invalidRequest, "parms"),
        BadLine(
            "a repeated member", #"{"jsonrpc":"2.0","id":1,"method":"version","method":"version"}"#, .invalidRequest, "method"),
        BadLine("params by position", #"{"jsonrpc":"2.0","id":1,"method":"version","params":[]}"#, .invalidParams, "params"),
        BadLine("70,000 bytes", Array(repeating: UInt8(ascii: "x"), count: 70_000), .lineTooLong, "65536", id: nil),
        BadLine("an unknown method", #"{"jsonrpc":"2.0","id":1,"method":"sing"}"#, .methodNotFound, "sing"),
    ]

    static let parameters: [BadLine] = [
        .call("no issuer", "issuer-status", "{}", .invalidParams, "\"issuer\""),
        .call("a mistyped issuer", "issuer-status", #"{"issuer":7}"#, .invalidParams, "\"issuer\""),
        .call("an unknown parameter", "issuer-status", #"{"issuer":"demo","isuer":1}"#, .invalidParams, "\"isuer\""),
        .call("a repeated parameter", "issuer-status", #"{"issuer":"demo","issuer":"demo"}"#, .invalidParams, "issuer"),
        .call("a parameter for none", "version", #"{"verbose":true}"#, .invalidParams, "verbose"),
        .call("an unknown issuer", "issuer-status", #"{"issuer":"demmo"}"#, .issuerNotFound, "demmo"),
        .call("signing for an unknown issuer", "sign", #"{"issuer":"demmo","claims":{"aud":"a"}}"#, .issuerNotFound, "demmo"),
        .call("an unknown kid", "revoke-key", "{\"kid\":\"\(kid)\"}", .keyNotFound, kid),
        .call("a limit of 0", "list-keys", #"{"limit":0}"#, .invalidParams, "limit"),
        .call("a limit of 501", "issuer-list", #"{"limit":501}"#, .invalidParams, "limit"),
        .call("a stale generation, rotating", "rotate", #"{"issuer":"demo","ifGeneration":99}"#, .conflict, "99"),
        .call(
            "a stale generation, updating", "issuer-update", #"{"issuer":"demo","standby":true,"ifGeneration":99}"#, .conflict,
            "99"),
        .call("a stale generation, deleting", "issuer-delete", #"{"issuer":"demo","ifGeneration":99}"#, .conflict, "99"),
        .call(
            "an unsupported algorithm", "issuer-create", #"{"issuer":"x","algorithm":"HS256"}"#, .unsupportedAlgorithm, "HS256"),
        .call("a bad issuer name", "issuer-create", #"{"issuer":"Demo_1"}"#, .invalidParams, "Demo_1"),
        .call("an issuer that exists", "issuer-create", #"{"issuer":"demo"}"#, .issuerExists, "demo"),
        .call(
            "a lifetime of two days", "issuer-create", #"{"issuer":"x","maximumLifetimeSeconds":172800}"#, .policyInvalid,
            "172800"),
        .call("a lifetime under 600 s", "issuer-create", #"{"issuer":"x","lifetimeSeconds":599}"#, .policyInvalid, "599"),
        .call(
            "an overlap under the lifetime", "issuer-update", #"{"issuer":"demo","overlapSeconds":3600}"#, .policyInvalid,
            "overlap"),
    ]

    static let claims: [BadLine] = [
        .call("neither claims nor payload", "sign", #"{"issuer":"demo"}"#, .invalidParams, "claims"),
        .call(
            "both claims and payload", "sign", #"{"issuer":"demo","claims":{"aud":"a"},"payload":"e30"}"#, .invalidParams,
            "payload"),
        .claims("claims that are no object", "[]", "object"),
        .claims("a repeated claim", #"{"aud":"a","sub":"x","sub":"y"}"#, "sub"),
        .claims("a repeated claim, escaped", #"{"aud":"a","sub":"x","\u0073ub":"y"}"#, "sub"),
        .claims("a repeated member, nested", #"{"aud":"a","n":{"m":[{"k":1,"k":2}]}}"#, "k"),
        .claims("a foreign iss", #"{"aud":"a","iss":"https://evil.example.com/"}"#, "iss"),
        .claims("no aud", #"{"sub":"x"}"#, "aud"),
        .claims("an empty aud", #"{"aud":[]}"#, "aud"),
        .claims("a fractional exp", "{\"aud\":\"a\",\"exp\":\(now + 3_600).5}", "exp"),
        .claims("an iat an hour ahead", "{\"aud\":\"a\",\"iat\":\(now + 3_600)}", "iat"),
        .claims("a lifetime over one day", "{\"aud\":\"a\",\"exp\":\(now + 86_401)}", .tokenLifetimeExceeded, "86401"),
        .claims("a lifetime under 600 s", "{\"aud\":\"a\",\"exp\":\(now + 599)}", "600"),
        .call(
            "a payload without iss", "sign", "{\"issuer\":\"demo\",\"payload\":\"\(payloadWithoutIssuer)\"}", .claimsInvalid,
            "iss"),
        .call("a payload that is no base64url", "sign", #"{"issuer":"demo","payload":"e30="}"#, .claimsInvalid, "base64url"),
    ]

    private static var payloadWithoutIssuer: String {
        Base64URL.encodeToString(Array("{\"aud\":\"a\",\"iat\":\(now),\"exp\":\(now + 600)}".utf8))
    }
}

extension BadLine {
    fileprivate static func claims(_ name: String, _ claims: String, _ message: String) -> BadLine {
        .claims(name, claims, .claimsInvalid, message)
    }
}

@Suite("Bad input")
struct BadInputTests {
    @Test(
        "each bad line gets its documented error, changes nothing, and the connection lives on",
        arguments: [BadLine.envelopes, BadLine.parameters, BadLine.claims])
    func refused(lines: [BadLine]) async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            await agent.settle()
            let before = try await client.call(IssuerListParameters())
            let socket = try RawSocket(agent.socketPath)
            for line in lines {
                try await socket.send(line.bytes + [UInt8(ascii: "\n")])
                let reply = try await socket.reply()
                let comment = Comment(rawValue: line.testDescription)
                #expect(reply["id"] == line.id, comment)
                #expect(reply["result"] == nil, comment)
                #expect(reply["error"]?["code"]?.integer == Int64(line.reason.code), comment)
                #expect(reply["error"]?["data"]?["reason"]?.string == line.reason.rawValue, comment)
                #expect(reply["error"]?["data"]?["retryable"] == .bool(line.reason.isRetryable), comment)
                #expect(reply["error"]?["message"]?.string?.contains(line.message) == true, comment)
                let version = try await socket.ask(#"{"jsonrpc":"2.0","id":"next","method":"version"}"#)
                #expect(version["id"] == "next", comment)
                #expect(version["result"]?["protocolVersion"] == JSONValue.string(ProtocolVersion.current), comment)
            }
            #expect(try await client.call(IssuerListParameters()) == before)
        }
    }
}
