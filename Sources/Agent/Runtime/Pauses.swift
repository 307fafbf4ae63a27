import Platform

/// Threads that pause, for a time, or until things may have become better.
// Sendable: every access to the stored state happens while `condition` is locked.
final class Pauses: @unchecked Sendable {
    private let condition = TimedCondition()
    private var isOver = false

    /// Waits for the given seconds, or until `wake()` or `end()` is called.
    func pause(_ seconds: Double) {
        condition.lock()
        defer { condition.unlock() }
        if !isOver { _ = condition.wait(seconds: seconds) }
    }

    /// Ends the pauses there are: things may be better now.
    func wake() {
        condition.lock()
        defer { condition.unlock() }
        condition.broadcast()
    }

    /// Ends all pauses, also those that begin later.
    func end() {
        condition.lock()
        defer { condition.unlock() }
        isOver = true
        condition.broadcast()
    }
}
