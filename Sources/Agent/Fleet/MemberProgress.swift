import AgentProtocol
import IssuerStore
import KeyLifecycle
import Platform

/// What does not count yet of the view this agent goes by: signatures by former keys that have not ended, generations that its
/// frontends do not serve, keys that it has not tried.
final class MemberProgress: Sendable {
    private struct State {
        /// Former keys that are still in use, by issuer.
        var draining: [String: [ObjectIdentifier: KeyReference]] = [:]
        /// Issuers of which something newer is known and not gone by yet: whether they sign meanwhile, and the keys that are new.
        var keptBack: [String: (isSigning: Bool, kids: Set<String>)] = [:]
        /// Generations that frontends are to serve, by issuer.
        var awaited: [String: Int] = [:]
        /// Keys that are published, by issuer.
        var published: [String: Set<String>] = [:]
        /// Keys to be tried, by kid, in the order in which they came.
        var untried: [(kid: String, key: KeyReference)] = []
        /// Keys that a trial has failed with, by kid.
        var failures: [String: (key: KeyReference, error: HSMError)] = [:]
        /// Keys a trial is under way with, or has succeeded with.
        var tried: Set<String> = []
    }

    private let state = Locked(State())
    let feed: ChangeFeed

    init(feed: ChangeFeed) {
        self.feed = feed
    }

    /// An issuer is shown as it is now.
    ///
    /// - Parameters:
    ///   - generation: that frontends are to serve; `nil` when there is nothing to be served.
    ///   - published: its keys.
    ///   - outgoing: the key that signed before, if it does so no more.
    func shown(_ issuer: String, generation: Int?, published: [KeyReference], outgoing: KeyReference?) {
        state.withLock { state in
            state.awaited[issuer] = generation
            state.keptBack[issuer] = nil
            let former = state.published[issuer] ?? []
            let kids = Set(published.map(\.kid))
            state.published[issuer] = kids.isEmpty ? nil : kids
            for key in published where !former.contains(key.kid) && !state.tried.contains(key.kid) {
                state.untried.append((key.kid, key))
            }
            let gone = former.subtracting(kids)
            if !gone.isEmpty {
                state.untried.removeAll { gone.contains($0.kid) }
                state.tried.subtract(gone)
                for kid in gone { state.failures[kid] = nil }
            }
            if let outgoing { state.draining[issuer, default: [:]][ObjectIdentifier(outgoing)] = outgoing }
        }
    }

    /// Something newer of an issuer is known, and not gone by until the token shows its keys: those that are new cannot be used.
    ///
    /// - Parameter published: the kids of what is known.
    func keptBack(_ issuer: String, isSigning: Bool, published: Set<String>) {
        state.withLock { state in
            state.keptBack[issuer] = (isSigning, published.subtracting(state.published[issuer] ?? []))
        }
    }

    /// The last signature by a former key has ended.
    func drained(_ key: KeyReference, of issuer: String) {
        state.withLock { state in
            state.draining[issuer]?[ObjectIdentifier(key)] = nil
            if state.draining[issuer]?.isEmpty == true { state.draining[issuer] = nil }
        }
    }

    /// Takes some of the keys that are to be tried.
    func takeUntried(_ count: Int) -> [KeyReference] {
        state.withLock { state in
            let taken = state.untried.prefix(count).map(\.key)
            state.untried.removeFirst(taken.count)
            for key in taken { state.tried.insert(key.kid) }
            // Until it has succeeded it does not count.
            for key in taken { state.failures[key.kid] = (key, .untried) }
            return taken
        }
    }

    /// A trial has ended.
    ///
    /// - Parameter error: why it failed, if it did.
    func tried(_ key: KeyReference, _ error: HSMError?) {
        state.withLock { state in
            guard state.tried.contains(key.kid) else { return }
            state.failures[key.kid] = error.map { (key, $0) }
        }
    }

    /// Has the keys that trials have failed with tried again.
    func tryAgain() {
        state.withLock { state in
            for (kid, failure) in state.failures where failure.error != .untried {
                state.failures[kid] = nil
                state.untried.append((kid, failure.key))
            }
        }
    }

    /// Why keys cannot be used, by kid.
    var failures: [String: HSMError] {
        state.withLock { $0.failures.mapValues(\.error).filter { $0.value != .untried } }
    }

    /// How far this agent has come with the view of a revision.
    func report(_ revision: Int64) -> MemberReport {
        let (draining, keptBack, awaited, unusable) = state.withLock { state in
            (
                Set(state.draining.keys).union(state.keptBack.filter(\.value.isSigning).keys), Set(state.keptBack.keys),
                state.awaited,
                Set(state.untried.map(\.kid)).union(state.failures.keys).union(state.keptBack.values.flatMap(\.kids))
            )
        }
        var unserved = keptBack
        for (issuer, generation) in awaited {
            if feed.isAwaiting(issuer, generation: generation) { unserved.insert(issuer) }
        }
        // What is served once is not looked at again: frontends do not go back.
        state.withLock { state in
            for (issuer, generation) in awaited where !unserved.contains(issuer) && state.awaited[issuer] == generation {
                state.awaited[issuer] = nil
            }
        }
        let isBehindMuch = max(draining.count, unserved.count, unusable.count) > MemberReport.limit
        let wanted = isBehindMuch ? [:] : awaited.filter { unserved.contains($0.key) }
        var followers = feed.frontends(lacking: wanted, staleAfter: FrontendStaleness.sharedStore)
        if !isBehindMuch { for index in followers.indices { followers[index].unserved.formUnion(keptBack) } }
        return MemberReport(
            revision: revision, draining: isBehindMuch ? [] : draining, unserved: isBehindMuch ? [] : unserved,
            unusable: isBehindMuch ? [] : unusable, isBehindMuch: isBehindMuch, frontends: feed.frontendCount,
            followers: FollowingFrontend.naming(followers))
    }
}

extension HSMError {
    /// It has not been tried yet.
    fileprivate static let untried = HSMError(
        HSMError.Code(rawValue: "untried"), "the key has not been tried yet", hint: "it is by itself")
}
