public import Platform

/// The pace of starts that fail.
///
/// A service manager starts a daemon again soon after its end, because after a crash callers wait for it; and it starts one
/// whenever somebody comes to its socket. A start that fails takes its time instead, so that however soon the next one comes,
/// nobody is asked for a login, or a disk for a file, many times a second. No limit of the manager's is needed for that, which
/// would give up the socket with the service.
public enum StartPace {
    /// How long a start that fails takes at least, and how often it is looked who has come meanwhile.
    private static let time = Duration.seconds(2)
    private static let pause = Duration.milliseconds(20)

    /// Waits under a service manager; elsewhere somebody waits for the error. Calls `meanwhile` over and over.
    public static func linger(
        _ manager: ServiceNotification = ServiceNotification(), _ meanwhile: @Sendable () -> Void = {}
    ) async {
        guard manager.isListening else { return }
        let end = ContinuousClock.now + time
        while ContinuousClock.now < end {
            meanwhile()
            try? await Task.sleep(for: pause)
        }
        meanwhile()
    }
}
