import Platform
import Synchronization

/// Whether the agent serves yet. Until then requests that come wait.
final class Readiness: Sendable {
    private let isOpen = Atomic(false)
    /// `nil` once nothing waits any more.
    private let waiting = Locked<[@Sendable () -> Void]?>([])

    /// Calls at once, or when the agent serves.
    func whenOpen(_ work: @escaping @Sendable () -> Void) {
        if !isOpen.load(ordering: .acquiring) {
            let isKept = waiting.withLock { waiting in
                waiting?.append(work)
                return waiting != nil
            }
            if isKept { return }
        }
        work()
    }

    func open() {
        let waiting = waiting.withLock { waiting in
            defer { waiting = nil }
            return waiting ?? []
        }
        isOpen.store(true, ordering: .releasing)
        for work in waiting { work() }
    }
}
