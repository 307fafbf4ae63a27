import AgentProtocol
import Foundation
import Testing

@testable import OIDCFrontend

@Suite("Requests that are not as they should be, or ask before they go on")
struct RequestTests {
    private static let last = "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    private static let expects = "Host: a\r\nExpect: 100-continue\r\n"

    @Test(
        "a request without a host, with two, or with what is none is refused, and the connection closed",
        arguments: [
            "", "Host: a\r\nHost: a\r\n", "Host: a\r\nHost: b\r\n", "Host: a b\r\n", "Host: a/b\r\n", "Host: u@a\r\n",
            "Host: a:b\r\n", "Host: :80\r\n", "Host: [::1\r\n", "Host: a%2\r\n", "Host: \"a\"\r\n", "Host: a?b\r\n",
            "Host: [::1]a\r\n", "Host: a\\b\r\n", "Host: []\r\n",
        ])
    func host(fields: String) async throws {
        try await expect(["400 Bad Request"], "GET /healthz HTTP/1.1\r\n\(fields)\r\n\(Self.last)", closing: true)
    }

    @Test(
        "every host there can be is one",
        arguments: [
            "a", "a:", "a:8080", "oidc.example.com", "192.0.2.1:80", "[2001:db8::1]", "[::1]:443", "a_b", "%C3%A9", "",
        ])
    func hosts(host: String) async throws {
        try await expect(["200 OK", "200 OK"], "GET /healthz HTTP/1.1\r\nHost: \(host)\r\n\r\n\(Self.last)")
    }

    @Test("HTTP/1.0 may do without a host, and not have two")
    func oldHost() async throws {
        try await expect(["200 OK"], "GET /healthz HTTP/1.0\r\n\r\n")
        try await expect(["400 Bad Request"], "GET /healthz HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n")
    }

    @Test("a whole URL as the target counts, with any host, and a host field beside it is needed all the same")
    func absolute() async throws {
        try await expect(["200 OK", "200 OK"], "GET http://b/healthz HTTP/1.1\r\nHost: a\r\n\r\n\(Self.last)")
        try await expect(["400 Bad Request"], "GET http://b/healthz HTTP/1.1\r\n\r\n")
    }

    @Test(
        "a target of another form is refused",
        arguments: [
            "GET *", "GET ftp://a/healthz", "GET http:///healthz", "GET http://u@a/healthz", "GET http://a:b/healthz", "GET a:80",
            "GET http:/healthz", "GET healthz",
        ])
    func target(_ line: String) async throws {
        try await expect(["400 Bad Request"], "\(line) HTTP/1.1\r\nHost: a\r\n\r\n\(Self.last)", closing: true)
    }

    @Test(
        "what two readers could cut into requests in two ways is refused, and nothing after it is looked at",
        arguments: [
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
            "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", "Content-Length: 5, 5\r\n\r\nhello",
            "Content-Length: +5\r\n\r\nhello", "Content-Length: 0x5\r\n\r\nhello", "Content-Length: -1\r\n\r\n",
            "Content-Length:\r\n\r\n", "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n",
            "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
            "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n",
            "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n", "A: b\r\n c: d\r\n\r\n", " A: b\r\n\r\n", ": b\r\n\r\n", "A\r\n\r\n",
            "A: b\rC: d\r\n\r\n", "A: b\nContent-Length: 5\r\n\r\nhello", "A: b\u{0}\r\n\r\n",
        ], ["GET", "POST"])
    func ambiguous(rest: String, method: String) async throws {
        let answers = try await statuses("\(method) /healthz HTTP/1.1\r\nHost: a\r\n\(rest)\(Self.last)")
        #expect(answers == ["400 Bad Request"], "\(rest)")
    }

    @Test("HTTP/1.0 has no transfer coding, so its request would end where nobody knows")
    func oldCoding() async throws {
        try await expect(
            ["400 Bad Request"],
            "POST /healthz HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n\(Self.last)",
            closing: true)
    }

    @Test(
        "bodies are read to their end and left out, be they counted or in chunks",
        arguments: [
            "Content-Length: 5\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            "Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nA: b\r\n\r\n", "Content-Length: 0\r\n\r\n",
        ])
    func bodies(rest: String) async throws {
        try await expect(["200 OK", "200 OK"], "GET /healthz HTTP/1.1\r\nHost: a\r\n\(rest)\(Self.last)")
        try await expect(["405 Method Not Allowed", "200 OK"], "POST /healthz HTTP/1.1\r\nHost: a\r\n\(rest)\(Self.last)")
    }

    @Test("a body that is too long is refused as soon as that is known, and the connection closed")
    func tooLong() async throws {
        let long = String(repeating: "a", count: 65_537)
        try await expect(
            ["413 Payload Too Large"], "POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\n\r\n", closing: true)
        try await expect(
            ["413 Payload Too Large"],
            "GET /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n10001\r\n\(long)\r\n0\r\n\r\n\(Self.last)")
        try await expect(
            ["405 Method Not Allowed", "200 OK"],
            "POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 65536\r\n\r\n\(long.dropFirst())\(Self.last)")
    }

    @Test("who waits to be told to go on is told so where the body is read, and then answered")
    func goOn() async throws {
        try await withServer { server in
            let client = try await RawClient(server.port)
            defer { client.close() }
            try await client.send("GET /healthz HTTP/1.1\r\n\(Self.expects)Content-Length: 5\r\n\r\n")
            try await eventually("100") { client.received == "HTTP/1.1 100 Continue\r\n\r\n" }
            try await client.send("hello")
            try await eventually("200") { client.received.contains("\r\n\r\nHTTP/1.1 200 OK\r\n") }
            #expect(!client.isClosed)
            try await client.request()
        }
        try await expect(
            ["100 Continue", "200 OK", "200 OK"],
            "GET /healthz HTTP/1.1\r\n\(Self.expects)Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n\(Self.last)")
    }

    @Test(
        "where the answer is no already, it comes at once, and the connection ends: a body may come or not",
        arguments: [
            ("POST /healthz", "405 Method Not Allowed"), ("PUT /nowhere", "404 Not Found"), ("GET /nowhere", "404 Not Found"),
        ])
    func refusedBeforeItsBody(line: String, status: String) async throws {
        for body in ["", "hello"] {
            try await expect(
                [status], "\(line) HTTP/1.1\r\n\(Self.expects)Content-Length: 5\r\n\r\n\(body)", closing: true)
        }
    }

    @Test("without a body, and in HTTP/1.0, there is nothing to wait for; another expectation is not met")
    func otherExpectations() async throws {
        try await expect(["200 OK", "200 OK"], "GET /healthz HTTP/1.1\r\n\(Self.expects)\r\n\(Self.last)")
        try await expect(
            ["200 OK"], "GET /healthz HTTP/1.0\r\n\(Self.expects)Content-Length: 5\r\n\r\nhello")
        try await expect(
            ["417 Expectation Failed"], "GET /healthz HTTP/1.1\r\nHost: a\r\nExpect: a-miracle\r\n\r\n\(Self.last)", closing: true
        )
    }

    @Test(
        "who asks for another protocol gets an answer in this one, and then the end, since nobody would read on",
        arguments: [
            ("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", "405 Method Not Allowed"),
            ("GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", "200 OK"),
            (
                "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n\r\n",
                "200 OK"
            ),
        ])
    func otherProtocol(request: String, status: String) async throws {
        try await expect([status], request, closing: true)
    }

    @Test("a refusal of HEAD has no body either")
    func refusedHead() async throws {
        try await withServer { server in
            let answer = try await server.exchange("HEAD /healthz HTTP/1.1\r\n\r\n")
            #expect(answer.hasPrefix("HTTP/1.1 400 ") && answer.hasSuffix("\r\n\r\n"), "\(answer)")
        }
    }

    @Test("OPTIONS of the server as a whole says which methods there are")
    func options() async throws {
        try await expect(["405 Method Not Allowed", "200 OK"], "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n\(Self.last)")
    }

    private func expect(_ statuses: [String], _ request: String, closing: Bool = false) async throws {
        try await withServer { server in
            let answers = try await server.exchange(request)
            #expect(self.statuses(in: answers) == statuses, "\(request.prefix(200)): \(answers)")
            if closing { #expect(answers.contains("\r\nConnection: close\r\n"), "\(answers)") }
        }
    }

    private func statuses(_ request: String) async throws -> [String] {
        var found: [String] = []
        try await withServer { server in found = statuses(in: try await server.exchange(request)) }
        return found
    }

    private func statuses(in answers: String) -> [String] {
        answers.components(separatedBy: "HTTP/1.1 ").dropFirst().map { String($0.prefix { $0 != "\r\n" }) }
    }

    private func withServer(_ body: (RunningServer) async throws -> Void) async throws {
        let publication = LivePublication(
            Publication(results: [discovery(of: "demo", [url("a")])], confirmedAt: wire(0)), clock: moment(0).reading,
            uptime: { 0 })
        try await withRunningServer(DocumentResponder(publication: publication), body)
    }
}
