import IssuerStore
import Platform

/// What the way between an agent and a shared store does to calls.
public enum StoreLineState: Hashable, Sendable {
    case open
    /// Every call throws, and watches end.
    case refusing
    /// Calls have no effect and no answer until the line is open again; then they arrive. When it refuses, they never do.
    case holdingRequests
    /// Calls take effect, and their answers come once the line is open. When it refuses, those are lost.
    case holdingAnswers
    /// The same of changes alone.
    case holdingAnswersToChanges
}

/// The way between one agent and the store.
final class StoreLine: Sendable {
    private struct Held {
        let isRequest: Bool
        let isChange: Bool
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var line = StoreLineState.open
        var lostRequests = 0
        var lostAnswers = 0
        var dropsHints = false
        var number = 0
        var held: [Int: Held] = [:]
        /// Calls given up before they were held.
        var cancelled: Set<Int> = []
        var watches: [Int: AsyncThrowingStream<StoreHint, any Error>.Continuation] = [:]
        /// For when the line is open again.
        var hints: [StoreHint] = []
        var waiters: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    let agent: String
    private let state = Locked(State())

    init(of agent: String) {
        self.agent = agent
    }

    var line: StoreLineState { state.withLock { $0.line } }

    func set(_ line: StoreLineState) {
        let (held, watches, hints) = state.withLock { state in
            state.line = line
            var held: [Held] = []
            var watches: [AsyncThrowingStream<StoreHint, any Error>.Continuation] = []
            var hints: [StoreHint] = []
            switch line {
            case .open, .refusing:
                held = Array(state.held.values)
                state.held = [:]
                if line == .open {
                    hints = state.hints
                    watches = Array(state.watches.values)
                } else {
                    watches = Array(state.watches.values)
                    state.watches = [:]
                }
                state.hints = []
            case .holdingRequests:
                // Answers that were on their way arrive no sooner.
                break
            case .holdingAnswers, .holdingAnswersToChanges:
                held = state.held.values.filter(\.isRequest)
                state.held = state.held.filter { !$0.value.isRequest }
            }
            return (held, watches, hints)
        }
        for call in held {
            if line == .refusing {
                call.continuation.resume(throwing: call.isChange && !call.isRequest ? StoreError.lost : StoreError.away)
            } else {
                call.continuation.resume()
            }
        }
        for watch in watches {
            for hint in hints { watch.yield(hint) }
            if line == .refusing { watch.finish(throwing: StoreError.away) }
        }
    }

    func loseRequests(_ count: Int) { state.withLock { $0.lostRequests = count } }

    func loseAnswers(_ count: Int) { state.withLock { $0.lostAnswers = count } }

    func dropHints(_ isDropping: Bool) { state.withLock { $0.dropsHints = isDropping } }

    func endWatches() {
        let watches = state.withLock { state in
            defer { state.watches = [:] }
            return Array(state.watches.values)
        }
        for watch in watches { watch.finish(throwing: StoreError.away) }
    }

    /// Returns once so many calls are held.
    func untilHeld(_ count: Int) async {
        await withCheckedContinuation { continuation in
            let isDone = state.withLock { state in
                guard state.held.count < count else { return true }
                state.waiters.append((count, continuation))
                return false
            }
            if isDone { continuation.resume() }
        }
    }

    /// Lets a call through, with what the line does to it.
    func pass<Value: Sendable>(isChange: Bool, _ body: () throws -> Value) async throws -> Value {
        try await cross(isRequest: true, isChange)
        if isChange, takeLoss(ofRequest: true) { throw StoreError.lost }
        let value = try body()
        if isChange, takeLoss(ofRequest: false) { throw StoreError.lost }
        try await cross(isRequest: false, isChange)
        return value
    }

    private func takeLoss(ofRequest isRequest: Bool) -> Bool {
        state.withLock { state in
            if isRequest, state.lostRequests > 0 {
                state.lostRequests -= 1
                return true
            }
            guard !isRequest, state.lostAnswers > 0 else { return false }
            state.lostAnswers -= 1
            return true
        }
    }

    private func cross(isRequest: Bool, _ isChange: Bool) async throws {
        while true {
            let number = state.withLock { state in
                state.number += 1
                return state.number
            }
            let isHeld = try state.withLock { state throws(StoreError) in
                switch state.line {
                case .open: return false
                case .refusing: throw isChange && !isRequest ? .lost : .away
                case .holdingRequests: return true
                case .holdingAnswers: return !isRequest
                case .holdingAnswersToChanges: return !isRequest && isChange
                }
            }
            guard isHeld else { return }
            try await hold(number, isRequest: isRequest, isChange)
            if !isRequest { return }
        }
    }

    private func hold(_ number: Int, isRequest: Bool, _ isChange: Bool) async throws {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
                let (isOver, waiters) = state.withLock { state in
                    // The line may have changed, or the caller have given up, in between.
                    if state.cancelled.remove(number) != nil { return (true, [CheckedContinuation<Void, Never>]()) }
                    if state.line == .open || state.line == .refusing || (isRequest && state.line != .holdingRequests) {
                        return (true, [])
                    }
                    state.held[number] = Held(isRequest: isRequest, isChange: isChange, continuation: continuation)
                    let due = state.waiters.filter { $0.count <= state.held.count }.map(\.continuation)
                    state.waiters.removeAll { $0.count <= state.held.count }
                    return (false, due)
                }
                if isOver { continuation.resume() }
                for waiter in waiters { waiter.resume() }
            }
            if Task.isCancelled { throw isChange && !isRequest ? StoreError.lost : StoreError.away }
        } onCancel: {
            let held = state.withLock { state in
                if let held = state.held.removeValue(forKey: number) { return Optional(held) }
                state.cancelled.insert(number)
                return nil
            }
            held?.continuation.resume(throwing: isChange && !isRequest ? StoreError.lost : StoreError.away)
        }
        if line == .refusing { throw isChange && !isRequest ? StoreError.lost : StoreError.away }
    }

    // MARK: Hints

    func tell(_ hint: StoreHint) {
        let watches = state.withLock { state in
            guard !state.dropsHints else { return [AsyncThrowingStream<StoreHint, any Error>.Continuation]() }
            guard state.line == .open else {
                if state.line != .refusing, !state.hints.contains(hint) { state.hints.append(hint) }
                return []
            }
            return Array(state.watches.values)
        }
        for watch in watches { watch.yield(hint) }
    }

    /// What is told from now on.
    func watch() -> AsyncThrowingStream<StoreHint, any Error> {
        let (stream, continuation) = AsyncThrowingStream<StoreHint, any Error>.makeStream()
        let number = state.withLock { state in
            state.number += 1
            state.watches[state.number] = continuation
            return state.number
        }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLock { $0.watches[number] = nil }
        }
        return stream
    }
}

extension StoreError {
    static let away = StoreError(.unavailable, "the store does not answer", hint: "wait until it does")
    static let lost = StoreError(
        .undecided, "nothing says what became of a change", hint: "read the store, and decide by what it says")
}
