import DaemonKit
import Foundation
import Logging
import Platform
import ServiceLifecycle
import Testing

/// What happened, in order; a test waits for an event with a deadline.
private final class Events: Sendable {
    private let stored = Locked<[String]>([])
    var all: [String] { stored.withLock { $0 } }
    func add(_ event: String) { stored.withLock { $0.append(event) } }

    func wait(for event: String) async throws {
        for _ in 0..<12_000 {
            if all.contains(event) { return }
            try await Task.sleep(for: .milliseconds(10))
        }
        Issue.record("\(event) did not happen")
    }
}

private struct Waiting: Service {
    let name: String
    let events: Events

    func run() async throws {
        events.add("\(name) runs")
        try await gracefulShutdown()
        events.add("\(name) ends")
    }
}

private struct Failing: Service {
    struct Failure: Error {}
    func run() async throws { throw Failure() }
}

private struct Returning: Service {
    func run() async throws {}
}

private let quiet = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

/// As long as a busy machine may take: nothing here is about services that do not end.
private let patience = Duration.seconds(600)

@Suite struct LifecycleTests {
    @Test("SIGTERM ends the services in reverse order, after SIGHUP has run the reload")
    func signals() async {
        await #expect(processExitsWith: .success) {
            // Until the daemon's handler is in place; the default action would end the process.
            ignoreHangup()
            let events = Events()
            let lifecycle = DaemonLifecycle(
                services: [Waiting(name: "first", events: events), Waiting(name: "second", events: events)],
                logger: quiet, notification: ServiceNotification(socket: nil), shutdownLimit: patience,
                ready: { events.add("ready") }, reload: { events.add("reload") })
            async let end: Void = lifecycle.run()
            try await events.wait(for: "ready")
            // Sent again until it has arrived: "ready" does not say that the handler of SIGHUP is in place.
            for _ in 0..<1000 where !events.all.contains("reload") {
                sendSelf(.hangup)
                try await Task.sleep(for: .milliseconds(10))
            }
            sendSelf(.terminate)
            try await end
            #expect(events.all.contains("reload"))
            #expect(events.all.suffix(2) == ["second ends", "first ends"])
        }
    }

    @Test("a service that fails ends the others gracefully, and its error is the daemon's")
    func failing() async {
        let events = Events()
        let lifecycle = DaemonLifecycle(
            services: [Waiting(name: "first", events: events), Failing()], logger: quiet,
            notification: ServiceNotification(socket: nil), shutdownLimit: patience)
        await #expect(throws: Failing.Failure.self) { try await lifecycle.run() }
        #expect(events.all.suffix(1) == ["first ends"])
    }

    @Test("a service that returns by itself is an error")
    func returning() async {
        let events = Events()
        let lifecycle = DaemonLifecycle(
            services: [Waiting(name: "first", events: events), Returning()], logger: quiet,
            notification: ServiceNotification(socket: nil), shutdownLimit: patience)
        await #expect(throws: ServiceEndedEarly(service: "Returning")) { try await lifecycle.run() }
    }

    @Test("a daemon that cannot become ready ends with the reason")
    func neverReady() async {
        let events = Events()
        let lifecycle = DaemonLifecycle(
            services: [Waiting(name: "first", events: events)], logger: quiet, notification: ServiceNotification(socket: nil),
            shutdownLimit: patience,
            ready: { throw Failing.Failure() })
        await #expect(throws: Failing.Failure.self) { try await lifecycle.run() }
        #expect(events.all.suffix(1) == ["first ends"])
    }

    @Test("a startup failure is two lines, whatever is in it")
    func startupFailure() {
        let failure = StartupFailure(what: "no\ntoken", todo: "plug it in\r\nand retry", exitCode: 3)
        #expect(failure.description == "error: no token\nhint: plug it in and retry")
        #expect(StartupFailure(ConfigurationError(.syntax, "m", hint: "h", file: "f", line: 1, column: 2)).what == "f:1:2: m")
        #expect(StartupFailure(PlatformError(.missing, "m", hint: "h")).exitCode == 1)
    }
}
