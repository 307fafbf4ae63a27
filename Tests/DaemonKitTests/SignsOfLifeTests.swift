import DaemonKit
import Foundation
import Logging
import Platform
import ServiceLifecycle
import TestSupport
import Testing

private struct Waiting: Service {
    func run() async throws { try await gracefulShutdown() }
}

private let quiet = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

/// A daemon that goes on so many times, and then hangs.
private final class Life: Sendable {
    private let left: Locked<Int>
    /// Ends when the daemon has begun to hang.
    let hang: AsyncStream<Never>
    private let hangs: AsyncStream<Never>.Continuation

    init(rounds: Int) {
        left = Locked(rounds)
        (hang, hangs) = AsyncStream.makeStream()
    }

    func heartbeat() async throws {
        let goesOn = left.withLock { left in
            left -= 1
            return left >= 0
        }
        if goesOn { return }
        hangs.finish()
        let (never, continuation) = AsyncStream.makeStream(of: Never.self)
        for await _ in never {}
        continuation.finish()
        throw CancellationError()
    }
}

@Suite("Signs of life")
struct SignsOfLifeTests {
    @Test("are sent as often as the daemon has gone on, and not once more when it hangs")
    func hanging() async throws {
        try await withTemporaryDirectory { directory in
            let manager = try NotifySocket(directory + "/notify")
            let life = Life(rounds: 3)
            let lifecycle = DaemonLifecycle(
                services: [Waiting()], logger: quiet, notification: ServiceNotification(socket: manager.path),
                watchdogLimit: .milliseconds(20), alive: { try await life.heartbeat() })
            let running = Task { try await lifecycle.run() }
            for await _ in life.hang {}
            running.cancel()
            _ = await running.result
            let said = manager.received()
            #expect(said.dropLast() == ["READY=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1", "STOPPING=1"])
            #expect(said.last?.hasPrefix("STATUS=stopping") == true)
        }
    }

    @Test("are not sent where no manager waits for them")
    func noWatchdog() async throws {
        try await withTemporaryDirectory { directory in
            let manager = try NotifySocket(directory + "/notify")
            let life = Life(rounds: 0)
            let (isReady, becomesReady) = AsyncStream.makeStream(of: Never.self)
            let lifecycle = DaemonLifecycle(
                services: [Waiting()], logger: quiet, notification: ServiceNotification(socket: manager.path), watchdogLimit: nil,
                ready: { becomesReady.finish() }, alive: { try await life.heartbeat() })
            let running = Task { try await lifecycle.run() }
            for await _ in isReady {}
            running.cancel()
            _ = await running.result
            #expect(!manager.received().contains("WATCHDOG=1"))
        }
    }
}
