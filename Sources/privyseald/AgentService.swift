import Agent
import Platform
import ServiceLifecycle

/// The agent as a service of the daemon: started once signals are handled, so that a signal during start ends it in order.
final class AgentService: Service {
    private let start: @Sendable () async throws -> AgentServer
    private let server = Locked(AgentServer?.none)
    private let started: AsyncStream<Never>
    private let hasStarted: AsyncStream<Never>.Continuation

    init(start: @escaping @Sendable () async throws -> AgentServer) {
        self.start = start
        (started, hasStarted) = AsyncStream.makeStream()
    }

    func run() async throws {
        let server = try await start()
        self.server.withLock { $0 = server }
        hasStarted.finish()
        try await server.run()
    }

    /// Returns once the agent serves.
    func ready() async throws {
        for await _ in started {}
        try Task.checkCancellation()
    }

    /// Whether a call into the PKCS#11 module has not returned, so that the process must end without running destructors.
    var hasStuckCalls: Bool { server.withLock { $0 }?.hasStuckCalls == true }

    /// Returns once everything in the agent has gone on since the call; never while something in it hangs.
    func alive() async throws {
        try await server.withLock { $0 }?.goneOn()
    }

    /// Reads the configuration again; does nothing before the agent serves.
    func reload() async throws {
        try await server.withLock { $0 }?.reload()
    }
}
