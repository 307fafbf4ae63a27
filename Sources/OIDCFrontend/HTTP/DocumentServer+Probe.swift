import Logging
import ServiceLifecycle

extension DocumentServer {
    /// Listens on the address for a moment, to see whether that is possible. Throws `cannotListen`.
    public static func probe(host: String, port: Int) async throws {
        let silent = Logger(label: "probe") { _ in SwiftLogNoOpLogHandler() }
        let nothing = LivePublication(clock: { Moment(seconds: 0) }, uptime: { 0 })
        let (ports, bound) = AsyncStream.makeStream(of: Int.self)
        let server = DocumentServer(
            responder: DocumentResponder(publication: nothing), host: host, port: port, uptime: { 0 },
            logger: silent
        ) { bound.yield($0) }
        let group = ServiceGroup(services: [server], logger: silent)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask {
                defer { bound.finish() }
                try await group.run()
            }
            for await _ in ports { await group.triggerGracefulShutdown() }
            try await tasks.waitForAll()
        }
    }
}
