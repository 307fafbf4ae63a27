import Testing

@testable import AgentProtocol

@Suite("Request envelopes")
struct RequestTests {
    @Test(
        "members may come in any order and spelling",
        arguments: [
            #"{"jsonrpc":"2.0","id":1,"method":"health","params":{"a":1}}"#,
            #"{"params":{"a":1},"method":"health","id":1,"jsonrpc":"2.0"}"#,
            #" { "id" : 1 , "jsonrpc" : "2.0" , "params" : {"a":1} , "method" : "health" } "# + "\r",
            #"{"json\u0072pc":"2\u002e0","i\u0064":1,"m\u0065thod":"he\u0061lth","params":{"a":1}}"#,
        ])
    func accepted(_ line: String) throws {
        let request = try Request.decode(Array(line.utf8))
        #expect(request.id == RequestID(1))
        #expect(request.method == .health)
        #expect(request.params.map { Array($0.bytes) } == Array(#"{"a":1}"#.utf8))
    }

    @Test(
        "an id is echoed as it was written",
        arguments: [
            "1", "-1", "0", "-0", "9223372036854775807", "123456789012345678901234567890", #""""#, #""a""#, #""\u0061""#,
            #""é\n""#,
        ])
    func ids(_ literal: String) throws {
        let request = try Request.decode(Array(#"{"jsonrpc":"2.0","id":\#(literal),"method":"x"}"#.utf8))
        #expect(request.id.description == literal)
        let reply = ReplyLine.failure(id: request.id, ProtocolError(.busy, "busy"))
        #expect(String(decoding: reply, as: UTF8.self).hasPrefix(#"{"jsonrpc":"2.0","id":\#(literal),"error":"#))
        #expect(request.params == nil)
    }

    @Test("ids are equal when they are written alike")
    func idEquality() throws {
        func id(_ literal: String) throws -> RequestID {
            try Request.decode(Array(#"{"jsonrpc":"2.0","id":\#(literal),"method":"x"}"#.utf8)).id
        }
        #expect(try id("7") == RequestID(7))
        #expect(try id(#""a\n""#) == RequestID("a\n"))
        #expect(try id("-0") != RequestID(0))
        #expect(try id(#""7""#) != RequestID(7))
    }

    @Test(
        "a line that is no request is refused with its reason, and its id where there is one",
        arguments: [
            ("", .parseError, nil, "unexpected end"),
            ("   ", .parseError, nil, "unexpected end"),
            ("hello", .parseError, nil, "byte 0"),
            (#"{"jsonrpc":"2.0","id":1,"method":"x""#, .parseError, nil, "unexpected end"),
            (#"{"jsonrpc":"2.0","id":1,"method":"x"}}"#, .parseError, nil, "byte 37"),
            (#"{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":01}}"#, .parseError, nil, "number"),
            ("[]", .invalidRequest, nil, "batches"),
            (#"[{"jsonrpc":"2.0","id":1,"method":"x"}]"#, .invalidRequest, nil, "batches"),
            ("[", .parseError, nil, "unexpected end"),
            ("1", .invalidRequest, nil, "object"),
            (#""x""#, .invalidRequest, nil, "object"),
            ("null", .invalidRequest, nil, "object"),
            ("{}", .invalidRequest, nil, "jsonrpc"),
            (#"{"id":1,"method":"x"}"#, .invalidRequest, "1", "jsonrpc"),
            (#"{"jsonrpc":"1.0","id":1,"method":"x"}"#, .invalidRequest, "1", "jsonrpc"),
            (#"{"jsonrpc":2.0,"id":1,"method":"x"}"#, .invalidRequest, "1", "jsonrpc"),
            (#"{"jsonrpc":"2.0","method":"x"}"#, .invalidRequest, nil, "notifications"),
            (#"{"jsonrpc":"2.0","id":null,"method":"x"}"#, .invalidRequest, nil, "\"id\""),
            (#"{"jsonrpc":"2.0","id":1.5,"method":"x"}"#, .invalidRequest, nil, "\"id\""),
            (#"{"jsonrpc":"2.0","id":1e3,"method":"x"}"#, .invalidRequest, nil, "\"id\""),
            (#"{"jsonrpc":"2.0","id":[1],"method":"x"}"#, .invalidRequest, nil, "\"id\""),
            (#"{"jsonrpc":"2.0","id":true,"method":"x"}"#, .invalidRequest, nil, "\"id\""),
            (#"{"jsonrpc":"2.0","id":"a"}"#, .invalidRequest, "\"a\"", "method"),
            (#"{"jsonrpc":"2.0","id":1,"method":null}"#, .invalidRequest, "1", "method"),
            (#"{"jsonrpc":"2.0","id":1,"method":7}"#, .invalidRequest, "1", "method"),
            (#"{"jsonrpc":"2.0","id":1,"method":"x","params":[]}"#, .invalidParams, "1", "params"),
            (#"{"jsonrpc":"2.0","id":1,"method":"x","params":null}"#, .invalidParams, "1", "params"),
            (#"{"jsonrpc":"2.0","id":1,"method":"x","params":"a"}"#, .invalidParams, "1", "params"),
            (#"{"jsonrpc":"2.0","params":[],"id":1,"method":"x"}"#, .invalidParams, "1", "params"),
            (#"{"jsonrpc":"2.0","id":1,"method":"x","parms":{}}"#, .invalidRequest, "1", "\"parms\""),
            (#"{"extra":{},"jsonrpc":"2.0","id":1,"method":"x"}"#, .invalidRequest, "1", "\"extra\""),
            (#"{"jsonrpc":"2.0","id":1,"id":2,"method":"x"}"#, .invalidRequest, nil, "repeated request member \"id\""),
            (#"{"jsonrpc":"2.0","id":1,"method":"x","m\u0065thod":"y"}"#, .invalidRequest, "1", "\"method\""),
            (#"{"jsonrpc":"2.0","id":1,"method":"x","params":{},"params":{}}"#, .invalidRequest, "1", "\"params\""),
        ] as [(String, Reason, String?, String)])
    func refused(_ line: String, _ reason: Reason, _ id: String?, _ text: String) {
        let failure = #expect(throws: RequestFailure.self) { try Request.decode(Array(line.utf8)) }
        #expect(failure?.error.reason == reason)
        #expect(failure?.id?.description == id)
        #expect(failure?.error.message.contains(text) == true, "\(failure?.error.message ?? "")")
    }

    @Test("bytes that are not UTF-8 are refused wherever they stand")
    func notUTF8() {
        for place in 0...45 {
            var line = Array(#"{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":"b"}}"#.utf8)
            line.insert(0xFF, at: place)
            let failure = #expect(throws: RequestFailure.self) { try Request.decode(line) }
            #expect(failure?.error.reason == .parseError)
        }
    }

    @Test("params too deep are refused under the id read before them")
    func tooDeep() {
        let deep = String(repeating: "[", count: 40) + String(repeating: "]", count: 40)
        let line = #"{"jsonrpc":"2.0","id":9,"method":"x","params":{"a":\#(deep)}}"#
        let failure = #expect(throws: RequestFailure.self) { try Request.decode(Array(line.utf8)) }
        #expect(failure?.error.reason == .invalidRequest)
        #expect(failure?.id == RequestID(9))
    }

    @Test("a message shows a hostile name on one short line")
    func hostileNames() {
        let name = "a\\n\\u2028\\u001b[31m" + String(repeating: "x", count: 5000)
        let failure = #expect(throws: RequestFailure.self) {
            try Request.decode(Array(#"{"jsonrpc":"2.0","id":1,"method":"x","\#(name)":1}"#.utf8))
        }
        let message = failure?.error.message ?? ""
        #expect(message.count < 120)
        #expect(!message.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x2028 })
    }

    @Test("an encoded request is one line and decodes to itself")
    func roundTrip() throws {
        let params = try JSONSlice(validating: Array("{\n \"a\": [1,\n2]\r\n}".utf8))
        let line = Request.encode(id: RequestID("x\n"), method: Method(rawValue: "o\"dd"), params: params)
        #expect(line.last == 10)
        #expect(line.filter { $0 == 10 }.count == 1)
        let request = try Request.decode(Array(line.dropLast()))
        #expect(request.id == RequestID("x\n"))
        #expect(request.method == Method(rawValue: "o\"dd"))
        #expect(try request.params.map { try JSONValue(parsing: $0) } == ["a": [1, 2]])
    }
}
