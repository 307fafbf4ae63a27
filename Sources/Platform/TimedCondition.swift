import CPlatform
import Glibc

/// A lock, and something to wait for with it, for a time of CLOCK_MONOTONIC at most. Blocks: never on the cooperative pool.
///
/// In place of `NSCondition` where there is a time: that one counts it on the clock that can be set (see ``Signal``).
@safe
public final class TimedCondition: Sendable {
    // Made in init before anyone else can see it and gone in deinit; in between it is a lock, there for many threads.
    private nonisolated(unsafe) let condition: UnsafeMutablePointer<privyseal_condition>

    public init() {
        unsafe condition = .allocate(capacity: 1)
        let failure = unsafe privyseal_condition_init(condition)
        precondition(failure == 0, "pthread_cond_init")
    }

    deinit {
        unsafe privyseal_condition_destroy(condition)
        unsafe condition.deallocate()
    }

    public func lock() {
        unsafe pthread_mutex_lock(&condition.pointee.mutex)
    }

    public func unlock() {
        unsafe pthread_mutex_unlock(&condition.pointee.mutex)
    }

    /// Wakes all who wait. To be called with the lock held.
    public func broadcast() {
        unsafe pthread_cond_broadcast(&condition.pointee.changed)
    }

    /// Waits for a broadcast, for so many seconds at most; returns whether there may have been one. To be called with the lock
    /// held, which others can take meanwhile.
    public func wait(seconds: Double) -> Bool {
        unsafe privyseal_condition_wait(condition, Nanoseconds.of(seconds)) == 0
    }
}
