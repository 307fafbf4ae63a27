import Foundation
import ProcessSupport

/// An HTTP server on loopback in a process of its own, that behaves as the first part of the path asks.
///
/// `ok`, `moved` (a redirection to `ok`), `missing` (404), `large` (2 MiB without Content-Length), `silent` (no answer at
/// all), `dripping` (a byte now and then), `cut` (less than Content-Length).
enum LoopbackServer {
    static var isAvailable: Bool {
        (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
            .contains { FileManager.default.isExecutableFile(atPath: "\($0)/python3") }
    }

    /// Runs a server while `body` runs, which gets its URL, `http://127.0.0.1:PORT`.
    static func run(_ body: (String) async throws -> Void) async throws {
        let output = FileManager.default.temporaryDirectory.path + "/privyseal-\(UUID().uuidString)"
        try Data().write(to: URL(fileURLWithPath: output))
        defer { try? FileManager.default.removeItem(atPath: output) }
        let process = try ChildProcess("/usr/bin/env", ["python3", "-c", script], output: output)
        defer { kill(process.processIdentifier, SIGKILL) }
        var port = ""
        while !port.hasSuffix("\n") {
            guard process.isRunning else { throw NotStarted() }
            try await Task.sleep(for: .milliseconds(20))
            port = try String(contentsOfFile: output, encoding: .utf8)
        }
        port = port.trimmingCharacters(in: .whitespacesAndNewlines)
        try await body("http://127.0.0.1:\(port)")
    }

    struct NotStarted: Error {}

    private static let script = #"""
        import http.server, json, os, threading, time

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *arguments): pass

            def answer(self, body, length=None):
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(length or len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                base = "http://127.0.0.1:%d" % server.server_port
                kind = self.path.split("/")[1]
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
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(server.server_port, flush=True)
        # It outlives no test process, a killed one included.
        while os.getppid() == parent: time.sleep(0.2)
        os._exit(0)
        """#
}
