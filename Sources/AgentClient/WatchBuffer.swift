import AgentProtocol
import Platform

/// What a watcher has not taken yet, folded into one change: a slow consumer costs the memory of one change, not of all.
final class WatchBuffer: Sendable {
    private let pending = Locked<IssuerChanges?>(nil)
    /// Says that there is something in `pending`, or that nothing comes any more.
    let signals: AsyncThrowingStream<Void, any Error>
    private let signal: AsyncThrowingStream<Void, any Error>.Continuation

    init() {
        (signals, signal) = AsyncThrowingStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    func add(_ changes: IssuerChanges) {
        pending.withLock { pending in
            pending = pending?.folding(changes) ?? changes
        }
        signal.yield()
    }

    func take() -> IssuerChanges? {
        pending.withLock { pending in
            let taken = pending
            pending = nil
            return taken
        }
    }

    func finish(throwing error: AgentUnreachable?) {
        signal.finish(throwing: error)
    }
}

extension IssuerChanges {
    /// This change and a later one in one: every issuer once, as it was last.
    func folding(_ later: IssuerChanges) -> IssuerChanges {
        let renewed = Set(later.issuers.map(\.name))
        return IssuerChanges(
            revision: later.revision, issuers: issuers.filter { !renewed.contains($0.name) } + later.issuers)
    }
}
