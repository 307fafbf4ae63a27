import CPlatform
import Glibc

/// Telling the service manager how far this process is (sd_notify(3)), without libsystemd.
///
/// Everything is a no-op where no manager listens. A manager that cannot be told is no reason to stop serving, so nothing
/// here throws: each call returns whether the manager was told. One that does not read is not waited for: what has to be said
/// once waits two seconds for it at most, what is said again soon a tenth of one.
public struct ServiceNotification: Sendable {
    private let socket: String?

    /// Speaks to `socket`, by default `$NOTIFY_SOCKET`: an absolute path, or an abstract name after `@`.
    public init(socket: String? = Environment.value("NOTIFY_SOCKET")) {
        self.socket = socket.flatMap { $0.hasPrefix("/") || $0.hasPrefix("@") ? $0 : nil }
    }

    /// Whether there is a manager to tell.
    public var isListening: Bool { socket != nil }

    /// Start-up, or a reload, is complete: `READY=1`.
    @discardableResult
    public func ready() -> Bool { send("READY=1", milliseconds: Self.once) }

    /// A reload has begun; ``ready()`` ends it: `RELOADING=1`, with the time `Type=notify-reload` asks for.
    @discardableResult
    public func reloading() -> Bool {
        send("RELOADING=1\nMONOTONIC_USEC=\(MonotonicClock.microseconds())", milliseconds: Self.once)
    }

    /// Shutdown has begun: `STOPPING=1`.
    @discardableResult
    public func stopping() -> Bool { send("STOPPING=1", milliseconds: Self.once) }

    /// The process goes on as it should: `WATCHDOG=1`. To be sent more often than ``watchdogLimit()``.
    @discardableResult
    public func keepAlive() -> Bool { send("WATCHDOG=1", milliseconds: Self.again) }

    /// After how long without ``keepAlive()`` the manager ends this process (sd_watchdog_enabled(3)); nil when it does not.
    ///
    /// From `WATCHDOG_USEC` and, when that is set, `WATCHDOG_PID`.
    public static func watchdogLimit(
        microseconds: String? = Environment.value("WATCHDOG_USEC"), pid: String? = Environment.value("WATCHDOG_PID")
    ) -> Duration? {
        guard let limit = microseconds.flatMap({ Int64($0) }), limit > 0 else { return nil }
        guard pid.map({ pid_t($0) == getpid() }) ?? true else { return nil }
        return .microseconds(limit)
    }

    /// One line about what the process is doing; line breaks in it become spaces: `STATUS=…`.
    @discardableResult
    public func status(_ text: String) -> Bool {
        send("STATUS=\(String(text.map { $0.isNewline ? " " : $0 }))", milliseconds: Self.again)
    }

    /// Milliseconds to wait for a manager that has not read what it was told before.
    private static let once: CInt = 2_000
    private static let again: CInt = 100

    private func send(_ message: String, milliseconds: CInt) -> Bool {
        guard let socket else { return false }
        let bytes = Array(message.utf8)
        return unsafe privyseal_send_datagram(socket, bytes, bytes.count, milliseconds) == 0
    }
}
