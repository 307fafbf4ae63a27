import AgentProtocol
import Foundation
import Testing

@testable import OIDCFrontend

@Suite("A connection over HTTP")
struct ConnectionTests {
    @Test("goes on until the client wants it closed, in HTTP/1.1 and in 1.0")
    func keptAlive() async throws {
        try await withServer { server in
            let answers = try await server.exchange(
                "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
                    + "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(answers.components(separatedBy: "HTTP/1.1 200 OK\r\n").count == 4, "\(answers)")
            #expect(answers.components(separatedBy: "\r\nConnection: keep-alive\r\n").count == 2, "\(answers)")
            #expect(answers.components(separatedBy: "\r\nConnection: close\r\n").count == 2, "\(answers)")
            let old = try await server.exchange("GET /healthz HTTP/1.0\r\n\r\n")
            #expect(old.hasPrefix("HTTP/1.1 200 OK\r\n") && old.contains("\r\nConnection: close\r\n"), "\(old)")
        }
    }

    @Test("requests that come together are answered in their order, bodies of theirs left out")
    func pipelined() async throws {
        try await withServer { server in
            let answers = try await server.exchange(
                "HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\nPOST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
                    + "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\nGET \(jwksPath("a")) HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
            )
            let lines = answers.components(separatedBy: "\r\n").filter { $0.hasPrefix("HTTP/") || $0.contains("HTTP/1.1 ") }
            #expect(
                lines.map { $0.suffix(from: $0.range(of: "HTTP/1.1 ")!.upperBound) } == [
                    "200 OK", "405 Method Not Allowed", "404 Not Found", "200 OK",
                ])
            #expect(answers.hasSuffix("\r\n\r\n" + jwksBody("k1")), "\(answers)")
        }
    }

    @Test("a client that has closed its half gets its answer, and then the end")
    func halfClosed() async throws {
        try await withServer { server in
            let answer = try await server.exchange("GET \(jwksPath("a")) HTTP/1.1\r\nHost: a\r\n\r\n", halfClosing: true)
            #expect(answer.hasSuffix("\r\n\r\n" + jwksBody("k1")), "\(answer)")
            #expect(try await server.exchange("GET / HTT", halfClosing: true).contains("200") == false)
        }
    }

    @Test("the target may be a whole URI, with a query or without")
    func target() async throws {
        try await withServer { server in
            for target in ["https://oidc.example.com\(jwksPath("a"))", "\(jwksPath("a"))?", "http://b\(jwksPath("a"))?a=/b?c"] {
                let answer = try await server.exchange("GET \(target) HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                #expect(answer.hasSuffix("\r\n\r\n" + jwksBody("k1")), "\(target)")
            }
            for target in ["https://oidc.example.com", "/?\(jwksPath("a"))"] {
                let answer = try await server.exchange("GET \(target) HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                #expect(answer.hasPrefix("HTTP/1.1 404 "), "\(target): \(answer)")
            }
        }
    }

    @Test("what is not HTTP, or too long, is refused and the connection closed")
    func refused() async throws {
        try await withServer { server in
            for request in [
                "nonsense\r\n\r\n", "GET /healthz HTTP/1.1\r\nA: \(String(repeating: "a", count: 9000))\r\n\r\n",
                "GET /healthz HTTP/1.1\r\n" + String(repeating: "A: b\r\n", count: 101) + "\r\n",
                "GET /healthz HTTP/1.1\r\n" + String(repeating: "A: \(String(repeating: "a", count: 4000))\r\n", count: 9)
                    + "\r\n",
            ] {
                // What is closed while more is coming may lose its answer on the way.
                let answer = try await server.exchange(request)
                #expect(answer.hasPrefix("HTTP/1.1 4") || answer == "", "\(request.prefix(40)): \(answer)")
            }
            #expect(try await server.exchange("nonsense\r\n\r\n").hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
        }
    }

    @Test("each answer carries its date")
    func dated() async throws {
        try await withServer { server in
            let answer = try await server.request("GET", jwksPath("a"))
            #expect(answer["Date"] == "Tue, 24 Nov 2026 10:00:00 GMT")
        }
    }

    @Test(
        "a date is written as HTTP has it",
        arguments: [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"), (951_868_799, "Tue, 29 Feb 2000 23:59:59 GMT"),
            (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"), (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"), (1_798_761_599, "Thu, 31 Dec 2026 23:59:59 GMT"),
            (1_798_761_600, "Fri, 01 Jan 2027 00:00:00 GMT"), (-1, "Wed, 31 Dec 1969 23:59:59 GMT"),
        ] as [(Int64, String)])
    func date(seconds: Int64, text: String) {
        var date = HTTPDate()
        #expect(date.text(at: seconds) == text)
        #expect(date.text(at: seconds + 86_400) != text)
        #expect(date.text(at: seconds) == text)
    }

    private func withServer(_ body: (RunningServer) async throws -> Void) async throws {
        let publication = LivePublication(
            Publication(results: [discovery(of: "demo", [url("a")])], confirmedAt: wire(0)), clock: moment(0).reading,
            uptime: { 0 })
        try await withRunningServer(DocumentResponder(publication: publication), body)
    }
}
