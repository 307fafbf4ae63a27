import Dispatch

/// Lets one thread wait for another, for a time at most. Blocks: never on the cooperative pool.
public final class Signal: Sendable {
    private let semaphore: DispatchSemaphore

    /// - Parameter count: how many waits return at once.
    public init(count: Int = 0) {
        semaphore = DispatchSemaphore(value: count)
    }

    /// Lets one wait return, now or later.
    public func send() {
        semaphore.signal()
    }

    /// Waits for a signal.
    public func wait() {
        semaphore.wait()
    }

    /// Waits for a signal, for so many seconds at most; returns whether it came.
    public func wait(seconds: Double) -> Bool {
        semaphore.wait(timeout: .now() + seconds) == .success
    }
}
