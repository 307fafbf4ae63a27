import Platform

/// A continuation that is resumed once, by the work or by the watch that gives up waiting for it, whichever is first.
final class OneAnswer<Value: Sendable>: Sendable {
    private let continuation: Locked<CheckedContinuation<Value, any Error>?>

    init(_ continuation: CheckedContinuation<Value, any Error>) {
        self.continuation = Locked(continuation)
    }

    func give(_ result: Result<Value, any Error>) {
        let waiting = continuation.withLock { continuation in
            defer { continuation = nil }
            return continuation
        }
        waiting?.resume(with: result)
    }
}

/// One value, handed from one thread to another that waits for it.
// Sendable: `value` is written before the semaphore is signalled, and read after it was waited for.
final class HandOver<Value: Sendable>: @unchecked Sendable {
    private let ready = Signal()
    private var value: Value?

    func put(_ value: Value) {
        self.value = value
        ready.send()
    }

    func take() -> Value {
        ready.wait()
        // `put` has run, or the semaphore would not have been signalled.
        return value!
    }
}
