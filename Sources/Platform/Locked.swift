public import Foundation

/// A value behind a lock, for state that several threads share for a moment at a time.
///
/// Over `NSLock`, because ThreadSanitizer reports `Synchronization.Mutex` falsely. The lock is not recursive: `withLock`
/// inside `withLock` of the same value waits for ever. Nothing that blocks belongs inside.
public final class Locked<State> {
    @usableFromInline let lock = NSLock()
    @usableFromInline var state: State

    /// Takes the value over; the caller keeps no access to what it refers to.
    public init(_ state: sending State) {
        self.state = state
    }

    /// Runs `body` with exclusive access to the value and returns what it returns.
    @inlinable
    public func withLock<Result, Failure: Error>(
        _ body: (inout sending State) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        lock.lock()
        defer { lock.unlock() }
        return try body(&state)
    }
}

// `state` is reached through `withLock` alone, which holds the lock; values enter and leave it as `sending`.
extension Locked: @unchecked Sendable {}
