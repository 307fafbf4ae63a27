import CPlatform
import Glibc

/// Lets one thread wait for another, for a time at most. Blocks: never on the cooperative pool.
///
/// The time is CLOCK_MONOTONIC's. Those of `DispatchSemaphore` and of Foundation's conditions end at a moment of
/// CLOCK_REALTIME on Linux: whoever sets that clock back has them wait for as much longer.
@safe
public final class Signal: Sendable {
    // Made in init before anyone else can see it and gone in deinit; in between it is a semaphore, there for many threads.
    private nonisolated(unsafe) let semaphore: UnsafeMutablePointer<sem_t>

    /// - Parameter count: how many waits return at once.
    public init(count: Int = 0) {
        unsafe semaphore = .allocate(capacity: 1)
        let made = unsafe sem_init(semaphore, 0, UInt32(count))
        precondition(made == 0, "sem_init")
    }

    deinit {
        unsafe sem_destroy(semaphore)
        unsafe semaphore.deallocate()
    }

    /// Lets one wait return, now or later.
    public func send() {
        unsafe sem_post(semaphore)
    }

    /// Waits for a signal.
    public func wait() {
        let failure = unsafe privyseal_semaphore_wait(semaphore, -1)
        precondition(failure == 0, "sem_wait")
    }

    /// Waits for a signal, for so many seconds at most; returns whether it came.
    public func wait(seconds: Double) -> Bool {
        unsafe privyseal_semaphore_wait(semaphore, Nanoseconds.of(seconds)) == 0
    }
}

/// How long waits are.
enum Nanoseconds {
    /// Of a time in seconds; a century for what is longer.
    static func of(_ seconds: Double) -> Int64 {
        Int64(min(max(seconds, 0), 3_155_760_000) * 1_000_000_000)
    }
}
