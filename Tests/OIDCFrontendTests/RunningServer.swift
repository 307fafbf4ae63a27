import Foundation
import OIDCFrontend
import ServiceLifecycle
import Subprocess
import Testing

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// A server that listens on a port of its own while `body` runs.
func withRunningServer(_ responder: DocumentResponder, _ body: (RunningServer) async throws -> Void) async throws {
    let (ports, port) = AsyncStream.makeStream(of: Int.self)
    let server = DocumentServer(responder: responder, host: "127.0.0.1", port: 0, uptime: TestUptime().reading, logger: silent) {
        port.yield($0)
    }
    try await withRunning([server], ports, finishing: port, body)
}

/// Runs `services` while `body` talks to the port they announce; `port` is finished should they end before that.
func withRunning(
    _ services: [any Service], _ ports: AsyncStream<Int>, finishing port: AsyncStream<Int>.Continuation,
    _ body: (RunningServer) async throws -> Void
) async throws {
    let group = ServiceGroup(services: services, logger: silent)
    try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask {
            defer { port.finish() }
            try await group.run()
        }
        if let port = await ports.first(where: { _ in true }) {
            let running = RunningServer(port: port)
            defer { running.end() }
            try await body(running)
        }
        await group.triggerGracefulShutdown()
        try await tasks.waitForAll()
    }
}

struct RunningServer: Sendable {
    let port: Int
    private let session = URLSession(configuration: .ephemeral)

    init(port: Int) { self.port = port }

    /// Closes the connections that are kept alive.
    func end() { session.invalidateAndCancel() }

    func request(_ method: String, _ path: String, _ headers: [String: String] = [:]) async throws -> Answer {
        var request = URLRequest(url: URL(string: "http://127.0.0.1:\(port)\(path)")!)
        request.httpMethod = method
        request.cachePolicy = .reloadIgnoringLocalCacheData
        for (name, value) in headers { request.setValue(value, forHTTPHeaderField: name) }
        let (body, response) = try await session.data(for: request)
        return Answer(body: String(decoding: body, as: UTF8.self), response: response as! HTTPURLResponse)
    }
}

struct Answer: Sendable {
    let body: String
    let response: HTTPURLResponse

    var status: Int { response.statusCode }
    subscript(_ header: String) -> String? { response.value(forHTTPHeaderField: header) }
}

extension RunningServer {
    /// What comes back until the server closes, for bytes that are sent as they stand.
    func exchange(_ request: String, halfClosing: Bool = false) async throws -> String {
        let script = """
            import socket, sys
            s = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=100)
            try:
                s.sendall(sys.stdin.buffer.read())
                if sys.argv[2] == "true":
                    s.shutdown(socket.SHUT_WR)
                while data := s.recv(65536):
                    sys.stdout.buffer.write(data)
            except (ConnectionResetError, BrokenPipeError):
                pass
            """
        let result = try await run(
            .name("python3"), arguments: ["-c", script, "\(port)", "\(halfClosing)"], input: .string(request),
            output: .string(limit: 1 << 16), error: .string(limit: 1 << 16))
        #expect(result.terminationStatus.isSuccess, "\(result.standardError)")
        return result.standardOutput
    }
}
