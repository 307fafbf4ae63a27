import AgentProtocol
import Platform

/// A change that waits for the frontends to serve a generation of an issuer.
struct PublicationWaiter {
    let number: Int
    let issuer: String
    let generation: Int
    let continuation: CheckedContinuation<Void, Never>
}

/// What the watchers serve, and who waits for that.
extension ChangeFeed {
    /// Frontends that watch now.
    var frontendCount: Int {
        state.withLock { $0.settled }
    }

    /// Waits from now on for as many frontends to be there again as there were before the agent was restarted, as long as
    /// frontends may take for that.
    func expect(_ count: Int) {
        guard count > 0 else { return }
        state.withLock { $0.expected = count }
        Task {
            try await Task.sleep(for: limits.comeback)
            self.expectNobody()
        }
        resumeSatisfied()
    }

    private func expectNobody() {
        state.withLock { $0.expected = 0 }
        resumeSatisfied()
    }

    /// Notes that a watching connection has been given the documents of this generation. One that says nothing of its own
    /// serves them from then on.
    func noteFetch(by connection: ConnectionID, issuer: String, generation: Int) {
        guard state.withLock({ $0.watchers[connection]?.acknowledges }) == false else { return }
        note([ServedIssuer(name: issuer, generation: generation, urls: 1)], servedBy: connection)
    }

    /// Notes what a watching connection says to serve.
    ///
    /// - Returns: whether it watches, and has said that it would say so.
    func acknowledge(_ issuers: [ServedIssuer], by connection: ConnectionID) -> Bool {
        guard state.withLock({ $0.watchers[connection]?.acknowledges }) == true else { return false }
        note(issuers, servedBy: connection)
        return true
    }

    private func note(_ issuers: [ServedIssuer], servedBy connection: ConnectionID) {
        state.withLock { state in
            guard var watcher = state.watchers[connection] else { return }
            for issuer in issuers
            where issuer.generation >= watcher.served[issuer.name]?.generation ?? 0 && watcher.isShown(issuer.name) {
                watcher.served[issuer.name] = issuer
            }
            watcher.isSettled = true
            state.watchers[connection] = watcher
            if state.settled >= state.expected { state.expected = 0 }
        }
        resumeSatisfied()
    }

    /// Waits until every frontend serves the issuer's documents of at least this generation: those that were there before the
    /// agent was restarted for as long as they take to come back, and then as long as a publication may take.
    func awaitPublication(of issuer: String, generation: Int) async -> PublicationView {
        // Where there is nobody to wait for, no clock has to be started.
        guard isAwaiting(issuer, generation: generation) else { return publication(of: issuer, generation: generation) }
        await withCheckedContinuation { continuation in
            let number = state.withLock { state in
                state.waiterCount += 1
                state.waiting.append(
                    PublicationWaiter(
                        number: state.waiterCount, issuer: issuer, generation: generation, continuation: continuation))
                return state.waiterCount
            }
            Task {
                let comeback = state.withLock { $0.expected > 0 } ? limits.comeback : .zero
                try await Task.sleep(for: comeback + limits.publication)
                self.resume { waiter, _ in waiter.number == number }
            }
            resumeSatisfied()
        }
        return publication(of: issuer, generation: generation)
    }

    private func publication(of issuer: String, generation: Int) -> PublicationView {
        state.withLock { Self.view(of: issuer, generation, $0).publication }
    }

    /// Whether a frontend that serves the issuer, or is about to, has not said that it serves this generation, or is still to
    /// come back.
    func isAwaiting(_ issuer: String, generation: Int) -> Bool {
        state.withLock { Self.view(of: issuer, generation, $0).isAwaited }
    }

    /// Resumes waiters that nobody keeps waiting any more.
    func resumeSatisfied() {
        resume { waiter, state in
            !Self.view(of: waiter.issuer, waiter.generation, state).isAwaited
        }
    }

    private func resume(where isDone: (PublicationWaiter, State) -> Bool) {
        let resumed = state.withLock { state -> [PublicationWaiter] in
            guard !state.waiting.isEmpty else { return [] }
            let done = Set(state.waiting.filter { isDone($0, state) }.map(\.number))
            defer { state.waiting.removeAll { done.contains($0.number) } }
            return state.waiting.filter { done.contains($0.number) }
        }
        for waiter in resumed { waiter.continuation.resume() }
    }

    /// Who serves the issuer, and whether somebody who will has not said so yet.
    private static func view(
        of issuer: String, _ generation: Int, _ state: State
    ) -> (publication: PublicationView, isAwaited: Bool) {
        var (published, watching) = (0, 0)
        var isAwaited = false
        for watcher in state.watchers.values {
            let served = watcher.served[issuer]
            if let served, served.generation >= generation {
                guard served.urls > 0 else { continue }
                published += 1
            } else if watcher.acknowledges ? watcher.isShown(issuer) : served != nil {
                isAwaited = true
            } else {
                continue
            }
            watching += 1
        }
        let missing = max(0, state.expected - state.settled)
        watching += missing
        return (
            PublicationView(
                outcome: watching == 0 ? "unserved" : published == watching ? "published" : "timed-out",
                published: published, watching: watching),
            isAwaited || missing > 0
        )
    }
}
