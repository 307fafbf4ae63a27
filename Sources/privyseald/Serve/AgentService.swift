import Agent
import Platform
import ServiceLifecycle

/// The agent as a service of the daemon: started once signals are handled, so that a signal during start ends it in order.
final class AgentService: Service {
    private let start: @Sendable () async throws -> (AgentServer, OpenStore)
    private let server = Locked(AgentServer?.none)
    /// Whether a reload was asked for before the agent served.
    private let isReloadDue = Locked(false)
    private let started: AsyncStream<Never>
    private let hasStarted: AsyncStream<Never>.Continuation

    /// - Parameter start: starts an agent; its store is closed at its end.
    init(start: @escaping @Sendable () async throws -> (AgentServer, OpenStore)) {
        self.start = start
        (started, hasStarted) = AsyncStream.makeStream()
    }

    func run() async throws {
        let (server, store) = try await start()
        self.server.withLock { $0 = server }
        // What is read is as new as the start; but the audit log may have been moved since it was opened.
        if isReloadDue.withLock({ $0 }) { try? await server.reload() }
        hasStarted.finish()
        do {
            try await server.run()
        } catch {
            await store.close()
            throw error
        }
        await store.close()
    }

    /// Returns once the agent serves.
    func ready() async throws {
        for await _ in started {}
        try Task.checkCancellation()
    }

    /// Whether the agent has served.
    var hasServed: Bool { server.withLock { $0 } != nil }

    /// What the agent does; `nil` while it starts.
    var summary: String? {
        get async { await server.withLock { $0 }?.summary }
    }

    /// Whether a call into the PKCS#11 module has not returned, so that the process must end without running destructors.
    var hasStuckCalls: Bool { server.withLock { $0 }?.hasStuckCalls == true }

    /// Returns once everything in the agent has gone on since the call; never while something in it hangs.
    func alive() async throws {
        try await server.withLock { $0 }?.heartbeat()
    }

    /// Reads the configuration again; once the agent serves, if it does not yet.
    func reload() async throws {
        guard let server = server.withLock({ $0 }) else { return isReloadDue.withLock { $0 = true } }
        try await server.reload()
    }
}
