import Foundation
import OIDCFrontend
import ServiceLifecycle

#if canImport(FoundationNetworking)
    import FoundationNetworking
#endif

/// A server that listens on a port of its own while `body` runs.
func withRunningServer(_ responder: DocumentResponder, _ body: (RunningServer) async throws -> Void) async throws {
    let (ports, port) = AsyncStream.makeStream(of: Int.self)
    let server = DocumentServer(responder: responder, host: "127.0.0.1", port: 0, logger: silent) { port.yield($0) }
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
            defer { running.session.invalidateAndCancel() }
            try await body(running)
        }
        await group.triggerGracefulShutdown()
        try await tasks.waitForAll()
    }
}

struct RunningServer: Sendable {
    let port: Int
    let session = URLSession(configuration: .ephemeral)

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
