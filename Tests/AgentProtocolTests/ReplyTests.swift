import Testing

@testable import AgentProtocol

@Suite("Replies")
struct ReplyTests {
    private func text(_ line: [UInt8]) -> String { String(decoding: line, as: UTF8.self) }

    private func decode(_ line: [UInt8]) throws -> AgentLine {
        #expect(line.last == 10)
        return try AgentLine.decode(Array(line.dropLast()))
    }

    @Test("a result is written in the order of its type, and read back")
    func success() throws {
        let result = VersionResult(agentVersion: "1", protocolVersion: "2", oldestClient: "3")
        let line = ReplyLine.success(id: RequestID(7), result: result)
        #expect(
            text(line)
                == #"{"jsonrpc":"2.0","id":7,"result":{"agentVersion":"1","protocolVersion":"2","oldestClient":"3"}}"# + "\n")
        guard case .result(let id, let slice) = try decode(line) else {
            Issue.record("no result")
            return
        }
        #expect(id == RequestID(7))
        #expect(try JSONValue(parsing: slice).decode(VersionResult.self) == result)
    }

    @Test("the spliced reply to sign is the encoded one", arguments: ["a.b.c", "eyJ.eyJ.sig-_0", "..", "a..b"])
    func sign(_ jwt: String) {
        let parts = jwt.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        let result = SignResult(
            jwt: jwt, header: parts[0], signature: parts[2], kid: "k\"id", alg: "RS256",
            expiresAt: WireTime(seconds: 1_795_514_400))
        #expect(
            ReplyLine.sign(
                id: RequestID("x"), signingInput: Array("\(parts[0]).\(parts[1])".utf8), signature: Array(parts[2].utf8),
                kid: "k\"id", algorithm: "RS256", expiration: 1_795_514_400)
                == ReplyLine.success(id: RequestID("x"), result: result))
    }

    @Test("an error keeps everything it says")
    func failure() throws {
        let error = ProtocolError(
            .conflict, "generation is 5", hint: "look again",
            details: ["generation": 5, "a": ["b": nil], "reason": "ignored"])
        let line = ReplyLine.failure(id: nil, error)
        #expect(
            text(line)
                == #"{"jsonrpc":"2.0","id":null,"error":{"code":-32007,"message":"generation is 5","data":{"reason":"CONFLICT","retryable":false,"hint":"look again","a":{"b":null},"generation":5}}}"#
                + "\n")
        guard case .failure(nil, let decoded) = try decode(line) else {
            Issue.record("no failure")
            return
        }
        #expect(decoded.reason == .conflict)
        #expect(decoded.code == -32007)
        #expect(decoded.message == error.message)
        #expect(decoded.hint == error.hint)
        #expect(!decoded.retryable)
        #expect(decoded.details == ["generation": 5, "a": ["b": nil]])
    }

    @Test(
        "an error of a later version, or with parts missing, is understood as far as it goes",
        arguments: [
            (#"{"code":-32099,"message":"m","data":{"reason":"NEW","retryable":true,"x":1}}"#, "NEW", -32099, true),
            (#"{"code":-32009,"message":"m"}"#, "BUSY", -32009, true),
            (#"{"code":-32001}"#, "PERMISSION_DENIED", -32001, false),
            (#"{"code":1,"message":"m","data":"text"}"#, "INTERNAL", 1, false),
            (#"{}"#, "INTERNAL", -32603, false), (#"7"#, "INTERNAL", -32603, false),
            (#"{"code":-32001,"data":{"reason":7,"retryable":"yes","hint":[]}}"#, "PERMISSION_DENIED", -32001, false),
        ])
    func tolerance(_ error: String, _ reason: String, _ code: Int, _ retryable: Bool) throws {
        let line = #"{"jsonrpc":"2.0","id":1,"error":\#(error),"extra":[1]}"#
        guard case .failure(let id, let decoded) = try AgentLine.decode(Array(line.utf8)) else {
            Issue.record("no failure")
            return
        }
        #expect(id == RequestID(1))
        #expect(decoded.reason.rawValue == reason)
        #expect(decoded.code == code)
        #expect(decoded.retryable == retryable)
    }

    @Test("a notification is told from a reply")
    func notification() throws {
        let changes = IssuerChanges(
            revision: 4,
            issuers: [WatchedIssuer(name: "a", generation: 2), WatchedIssuer(name: "b", generation: 3, deleted: true)])
        let line = ReplyLine.notification(changes)
        #expect(
            text(line)
                == #"{"jsonrpc":"2.0","method":"issuer-changed","params":{"revision":4,"issuers":[{"name":"a","generation":2},{"name":"b","generation":3,"deleted":true}]}}"#
                + "\n")
        guard case .notification(IssuerChanges.method, let params?) = try decode(line) else {
            Issue.record("no notification")
            return
        }
        #expect(try JSONValue(parsing: params).decode(IssuerChanges.self) == changes)
    }

    @Test(
        "a line that no agent writes is refused",
        arguments: [
            "", "hello", "[]", "{}", #"{"id":1}"#, #"{"result":1}"#, #"{"id":null,"result":1}"#, "HTTP/1.1 400", #"{"method":7}"#,
        ])
    func malformed(_ line: String) {
        #expect(throws: MalformedLine.self) { try AgentLine.decode(Array(line.utf8)) }
    }

    @Test("a result that is too long becomes an error, and the longest that is not stays")
    func tooLong() throws {
        let frame = ReplyLine.success(id: RequestID(1), result: MetricsResult(text: "")).count - 1
        let longest = MetricsResult(text: String(repeating: "x", count: ProtocolLimits.replyLine - frame))
        #expect(ReplyLine.success(id: RequestID(1), result: longest).count == ProtocolLimits.replyLine + 1)
        let line = ReplyLine.success(id: RequestID(1), result: MetricsResult(text: longest.text + "x"))
        guard case .failure(let id, let error) = try decode(line) else {
            Issue.record("no failure")
            return
        }
        #expect(id == RequestID(1))
        #expect(error.reason == .internalError)
    }

    @Test("a result that is no JSON becomes an error")
    func notEncodable() throws {
        guard case .failure(_, let error) = try decode(ReplyLine.success(id: RequestID(1), result: [Double.infinity])) else {
            Issue.record("no failure")
            return
        }
        #expect(error.reason == .internalError)
    }
}
