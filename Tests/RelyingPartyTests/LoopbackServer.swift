import Foundation
import ProcessSupport
import TLSSupport

/// An HTTP server on loopback in a process of its own, that behaves as the first part of the path asks.
///
/// `ok`, `moved` (a redirection to `ok`), `missing` (404), `large` (2 MiB without Content-Length), `silent` (no answer at
/// all), `dripping` (a byte now and then), `cut` (less than Content-Length), `circle` (a redirection to itself), `insecure` (one to
/// http). It calls itself as it is called, so that it can stand in for any host behind a proxy.
enum LoopbackServer {
    static var isAvailable: Bool {
        (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
            .contains { FileManager.default.isExecutableFile(atPath: "\($0)/python3") }
    }

    /// Runs a server while `body` runs, which gets its URL, `http://127.0.0.1:PORT`; with a certificate `https://`.
    static func run(_ certificate: TestCertificate? = nil, _ body: (String) async throws -> Void) async throws {
        try await run(script, certificate.map { [$0.certificate, $0.key] } ?? []) { port in
            try await body("\(certificate == nil ? "http" : "https")://127.0.0.1:\(port)")
        }
    }

    /// Runs a proxy while `body` runs, which gets its URL: whatever host it is asked to connect to, it connects to `target`.
    static func proxy(to target: String, _ body: (String) async throws -> Void) async throws {
        let port = target.split(separator: ":").last.map(String.init) ?? ""
        try await run(proxyScript, [port]) { try await body("http://127.0.0.1:\($0)") }
    }

    private static func run(
        _ script: String, _ arguments: [String], _ body: (_ port: String) async throws -> Void
    ) async throws {
        let output = FileManager.default.temporaryDirectory.path + "/privyseal-\(UUID().uuidString)"
        try Data().write(to: URL(fileURLWithPath: output))
        defer { try? FileManager.default.removeItem(atPath: output) }
        let process = try ChildProcess("/usr/bin/env", ["python3", "-c", script] + arguments, output: output)
        defer { kill(process.processIdentifier, SIGKILL) }
        var port = ""
        while !port.hasSuffix("\n") {
            guard process.isRunning else { throw NotStarted() }
            try await Task.sleep(for: .milliseconds(20))
            port = try String(contentsOfFile: output, encoding: .utf8)
        }
        port = port.trimmingCharacters(in: .whitespacesAndNewlines)
        try await body(port)
    }

    struct NotStarted: Error {}

    private static let proxyScript = #"""
        import os, socket, socketserver, sys, threading, time

        class Tunnel(socketserver.StreamRequestHandler):
            def handle(self):
                method = self.rfile.readline().split()[0]
                while self.rfile.readline().strip(): pass
                if method != b"CONNECT":
                    self.wfile.write(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")
                    return
                other = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
                self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
                back = threading.Thread(target=self.pass_on, args=(other, self.connection), daemon=True)
                back.start()
                self.pass_on(self.connection, other)
                back.join()

            def pass_on(self, one, other):
                try:
                    while data := one.recv(65536): other.sendall(data)
                    other.shutdown(socket.SHUT_WR)
                except OSError: pass

        parent = os.getppid()
        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Tunnel)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(server.server_address[1], flush=True)
        # It outlives no test process, a killed one included.
        while os.getppid() == parent: time.sleep(0.2)
        os._exit(0)
        """#

    private static let script = #"""
        import http.server, json, os, ssl, sys, threading, time, urllib.parse

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *arguments): pass

            def answer(self, body, length=None):
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(length or len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                base = scheme + "://" + self.headers["Host"]
                kind = urllib.parse.urlsplit(self.path).path.split("/")[1]
                if self.path.endswith("/jwks"):
                    body = b'{"keys":[]}'
                else:
                    body = json.dumps({"issuer": base + "/" + kind, "jwks_uri": base + "/ok/jwks"}).encode()
                if kind == "ok":
                    self.answer(body)
                elif kind == "moved":
                    self.send_response(302)
                    self.send_header("Location", base + "/ok/elsewhere")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                elif kind in ("circle", "insecure"):
                    self.send_response(307)
                    self.send_header("Location", self.path if kind == "circle" else "http://127.0.0.1:1/")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                elif kind == "missing":
                    self.send_error(404)
                elif kind == "large":
                    self.send_response(200)
                    self.end_headers()
                    self.wfile.write(b" " * (2 << 20))
                elif kind == "silent":
                    time.sleep(60)
                elif kind == "dripping":
                    self.send_response(200)
                    self.end_headers()
                    while True:
                        self.wfile.write(b" ")
                        self.wfile.flush()
                        time.sleep(0.05)
                elif kind == "cut":
                    self.answer(body, len(body) + 1)

        parent = os.getppid()
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        scheme = "http"
        if len(sys.argv) > 1:
            scheme = "https"
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(sys.argv[1], sys.argv[2])
            server.socket = context.wrap_socket(server.socket, server_side=True)
            server.handle_error = lambda *arguments: None
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(server.server_port, flush=True)
        # It outlives no test process, a killed one included.
        while os.getppid() == parent: time.sleep(0.2)
        os._exit(0)
        """#
}
