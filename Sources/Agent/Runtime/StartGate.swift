import Platform
import Synchronization

/// Whether the agent serves yet. Until then requests that come wait.
final class StartGate: Sendable {
    private enum State {
        case waiting([@Sendable (_ isOpen: Bool) -> Void])
        case open
        case closed
    }

    private let isOpen = Atomic(false)
    private let state = Locked(State.waiting([]))

    /// Whether the agent serves, so that nothing waits.
    var isOpenNow: Bool { isOpen.load(ordering: .acquiring) }

    /// Calls once: at once when the agent serves or never will, else when that is known.
    func whenOpen(_ work: @escaping @Sendable (_ isOpen: Bool) -> Void) {
        if isOpenNow { return work(true) }
        let answer = state.withLock { state -> Bool? in
            switch state {
            case .waiting(let others):
                state = .waiting(others + [work])
                return nil
            case .open: return true
            case .closed: return false
            }
        }
        if let answer { work(answer) }
    }

    func open() {
        end(.open)
        isOpen.store(true, ordering: .releasing)
    }

    /// What waits is refused. Does nothing once the agent serves.
    func close() {
        end(.closed)
    }

    private func end(_ last: State) {
        let waiting = state.withLock { state -> [@Sendable (Bool) -> Void] in
            guard case .waiting(let waiting) = state else { return [] }
            state = last
            return waiting
        }
        let isOpen = if case .open = last { true } else { false }
        for work in waiting { work(isOpen) }
    }
}
