import AgentProtocol
import IssuerStore
import Platform
import Testing

@testable import Agent

/// Without token, socket and clock: who is waited for, and what is said of it.
@Suite("Who serves what a change publishes")
struct ChangeFeedTests {
    private final class Audience {
        var watchers = Watchers()

        func watch(_ number: UInt64, acknowledges: Bool = true, sees: [String] = ["demo"]) -> ConnectionID {
            let connection = ConnectionID(number: number)
            watchers.connected(connection)
            _ = watchers.subscribe(connection, sink: SilentSink(), acknowledges: acknowledges, origin: .test) {
                sees.contains($0)
            }
            _ = watchers.release(connection)
            return connection
        }

        /// Whether the agent takes the word of a watcher that it serves this.
        func serves(
            _ connection: ConnectionID, generation: Int, urls: Int = 1, of name: String = "demo"
        ) -> Bool {
            watchers.acknowledge([ServedIssuer(name: name, generation: generation, urls: urls)], by: connection)
        }

        /// The outcome of a change that has waited, which goes on after what `meanwhile` does and no sooner.
        func publication(_ generation: Int, _ meanwhile: (Audience) -> Void) -> PublicationOutcome {
            let waiter = watchers.wait(for: "demo", generation: generation)
            #expect(satisfied().isEmpty)
            meanwhile(self)
            #expect(satisfied() == [waiter])
            return outcome(generation)
        }

        func satisfied() -> [Int] { watchers.takeSatisfied() }

        func outcome(_ generation: Int) -> PublicationOutcome {
            watchers.outcome(of: "demo", generation: generation)
        }

        func isAwaiting(_ generation: Int) -> Bool {
            watchers.isAwaiting("demo", generation: generation)
        }
    }

    private let audience = Audience()

    @Test("a frontend that acknowledges is waited for until it says that it serves it; that it has fetched it does not count")
    func acknowledgement() {
        let one = audience.watch(1)
        #expect(audience.serves(one, generation: 1))
        let outcome = audience.publication(2) { _ in
            audience.watchers.noteFetch(by: one, issuer: "demo", generation: 2)
            #expect(audience.satisfied().isEmpty)
            #expect(audience.serves(one, generation: 2))
        }
        #expect(outcome == .published(frontends: 1))
    }

    @Test("one that watches and has not said anything yet is waited for, also for an issuer that is new")
    func unsettled() {
        let one = audience.watch(1)
        let outcome = audience.publication(1) { #expect($0.serves(one, generation: 1)) }
        #expect(outcome == .published(frontends: 1))
    }

    @Test("one that is not shown the issuer is not waited for, nor believed, and takes no room")
    func hidden() {
        let one = audience.watch(1, sees: ["other"])
        #expect(audience.serves(one, generation: 9))
        #expect(!audience.isAwaiting(1) && audience.outcome(1) == .unserved)
        #expect(audience.watchers.served(by: one)?.isEmpty == true)
    }

    @Test("nobody serves an issuer whose frontends all say that they serve no URL of it")
    func noURL() {
        let (one, two) = (audience.watch(1), audience.watch(2))
        #expect(audience.serves(one, generation: 1, urls: 0) && audience.serves(two, generation: 2, urls: 0))
        let outcome = audience.publication(2) { #expect($0.serves(one, generation: 2, urls: 0)) }
        #expect(outcome == .unserved)
    }

    @Test("a watcher that says nothing serves what it has fetched, and an issuer it never fetched is none of its business")
    func silent() {
        let one = audience.watch(1, acknowledges: false)
        #expect(!audience.serves(one, generation: 1))
        #expect(!audience.isAwaiting(1) && audience.outcome(1) == .unserved)
        audience.watchers.noteFetch(by: one, issuer: "demo", generation: 1)
        let outcome = audience.publication(2) { $0.watchers.noteFetch(by: one, issuer: "demo", generation: 2) }
        #expect(outcome == .published(frontends: 1))
    }

    @Test("what a watcher says of an older generation than it serves changes nothing")
    func older() {
        let one = audience.watch(1)
        #expect(audience.serves(one, generation: 2) && audience.serves(one, generation: 1))
        #expect(audience.outcome(2) == .published(frontends: 1))
    }

    @Test("as many as there were before a restart are waited for, and none once they are back")
    func comeback() {
        audience.watchers.expect(2)
        let outcome = audience.publication(1) { _ in
            let one = audience.watch(1)
            #expect(audience.serves(one, generation: 1))
            #expect(audience.satisfied().isEmpty)
            #expect(audience.outcome(1) == .timedOut(published: 1, watching: 2))
            let two = audience.watch(2)
            #expect(audience.serves(two, generation: 1))
        }
        #expect(outcome == .published(frontends: 2))
        audience.watchers.disconnected(ConnectionID(number: 1))
        #expect(!audience.isAwaiting(1) && audience.outcome(1) == .published(frontends: 1))
    }

    @Test("one that does not come back is waited for no longer than that takes, and is missing in what is said")
    func missing() async {
        let feed = ChangeFeed(limits: ChangeFeed.Limits(publication: .milliseconds(1), comeback: .milliseconds(1)))
        feed.expect(1)
        let outcome = await feed.awaitPublication(of: "demo", generation: 1)
        #expect(outcome == .unserved || outcome == .timedOut(published: 0, watching: 1))
        while feed.state.withLock({ $0.watchers.expected }) != 0 { await Task.yield() }
        #expect(await feed.awaitPublication(of: "demo", generation: 1) == .unserved)
    }

    @Test("a change goes on when its frontend says so, and when it ends or watches no more", arguments: 0...2)
    func resumption(_ how: Int) async {
        let feed = ChangeFeed(limits: ChangeFeed.Limits(publication: .seconds(120)))
        let one = ConnectionID(number: 1)
        feed.connected(one)
        _ = feed.subscribe(one, sink: SilentSink(), acknowledges: true, origin: .test) { _ in true }
        async let outcome = feed.awaitPublication(of: "demo", generation: 1)
        while feed.state.withLock({ $0.continuations.isEmpty }) { await Task.yield() }
        switch how {
        case 0: #expect(feed.acknowledge([ServedIssuer(name: "demo", generation: 1, urls: 1)], by: one))
        case 1: feed.disconnected(one)
        default: feed.unsubscribe(one)
        }
        #expect(feed.state.withLock { $0.continuations.isEmpty })
        #expect(await outcome == (how == 0 ? .published(frontends: 1) : .unserved))
    }

    @Test("a change that has waited as long as it may is waited for no more, and says who has not served it")
    func timeout() {
        let one = audience.watch(1)
        let waiter = audience.watchers.wait(for: "demo", generation: 1)
        audience.watchers.endWait(waiter)
        #expect(audience.outcome(1) == .timedOut(published: 0, watching: 1))
        #expect(audience.serves(one, generation: 1) && audience.satisfied().isEmpty)
    }

    @Test("of each frontend it is said who it is and what it lacks, of those alone that an issuer concerns")
    func frontends() {
        let (one, two) = (audience.watch(1), audience.watch(2))
        _ = audience.watch(3, sees: ["other"])
        _ = audience.watch(4, acknowledges: false)
        #expect(audience.serves(one, generation: 2) && audience.serves(two, generation: 1))
        let all = audience.watchers.frontends(lacking: ["demo": 2], staleAfter: 120)
        #expect(all.map(\.name?.number) == [1, 2, 3] && all.map(\.staleAfter) == [30, 30, 30])
        #expect(all.map(\.unserved) == [[], ["demo"], []])
        #expect(all[0].name?.uid == 1 && all[0].name?.pid == 7 && all[0].name?.user == "web")
        #expect(audience.watchers.frontends(of: "demo", generation: 2, staleAfter: 120) == Array(all.prefix(2)))
        #expect(audience.serves(two, generation: 2, urls: 0))
        #expect(audience.watchers.frontends(of: "demo", generation: 2, staleAfter: 120) == Array(all.prefix(1)))
    }

    @Test("of an issuer that was deleted each frontend has to say that it serves nothing, and not what it said before")
    func deletion() {
        let (one, two) = (audience.watch(1), audience.watch(2))
        _ = audience.watch(3, sees: ["other"])
        #expect(audience.serves(one, generation: 5))
        _ = audience.watchers.publish(WatchedIssuer(name: "demo", generation: 5, deleted: true))
        func lacking() -> [Set<String>] {
            audience.watchers.frontends(of: "demo", generation: 5, staleAfter: 120).map(\.unserved)
        }
        #expect(lacking() == [["demo"], ["demo"]])
        #expect(audience.serves(one, generation: 5, urls: 0) && audience.serves(two, generation: 5))
        #expect(lacking() == [[], ["demo"]])
        #expect(audience.watchers.frontends(lacking: [:], staleAfter: 120).map(\.unserved) == [[], ["demo"], []])
        #expect(audience.serves(two, generation: 5, urls: 0))
        #expect(lacking() == [[], []])
        #expect(audience.outcome(6) == .timedOut(published: 0, watching: 2))
    }

    @Test("the latest deletions are remembered of each frontend, and of one that says nothing those of what it has fetched")
    func deletions() {
        let many = (0...FollowingFrontend.deletionLimit).map { "many-\($0)" }
        _ = audience.watch(1, sees: many)
        let two = audience.watch(2, acknowledges: false, sees: many)
        audience.watchers.noteFetch(by: two, issuer: many[3], generation: 1)
        for name in many { _ = audience.watchers.publish(WatchedIssuer(name: name, generation: 1, deleted: true)) }
        let unserved = audience.watchers.frontends(lacking: [:], staleAfter: 120).map(\.unserved)
        #expect(unserved == [Set(many.dropFirst()), [many[3]]])
    }

    @Test("what was served of an issuer that was deleted does not count for its successor")
    func successor() {
        let one = audience.watch(1)
        #expect(audience.serves(one, generation: 5))
        _ = audience.watchers.publish(WatchedIssuer(name: "demo", generation: 5, deleted: true))
        let outcome = audience.publication(6) { #expect($0.serves(one, generation: 6)) }
        #expect(audience.watchers.frontends(lacking: ["demo": 6], staleAfter: 120).map(\.unserved) == [[]])
        #expect(outcome == .published(frontends: 1))
    }
}

extension WatchOrigin {
    fileprivate static let test = WatchOrigin(caller: Caller(uid: 1, gid: 1, pid: 7, user: "web"), staleAfter: 30)
}

/// Takes a notification, and says when it has.
private struct SilentSink: NotificationSink {
    func notify(_ changes: IssuerChanges, written: @escaping @Sendable () -> Void) { written() }
}

/// Keeps notifications until they are taken.
private final class SlowSink: NotificationSink {
    private let kept = Locked<[(changes: IssuerChanges, written: @Sendable () -> Void)]>([])

    func notify(_ changes: IssuerChanges, written: @escaping @Sendable () -> Void) {
        kept.withLock { $0.append((changes, written)) }
    }

    /// The notification that is under way, as `name=generation`, and `-name` for one that is gone; `nil` when none is.
    func take() -> [String]? {
        let taken = kept.withLock { $0.isEmpty ? nil : $0.removeFirst() }
        guard let taken else { return nil }
        taken.written()
        return taken.changes.issuers.map { $0.deleted == true ? "-\($0.name)" : "\($0.name)=\($0.generation)" }
    }
}

/// Without token and socket: which notifications go out, and when.
@Suite("What a watcher is notified of")
struct NotificationTests {
    private let feed = ChangeFeed()
    private let sink = SlowSink()
    private let one = ConnectionID(number: 1)

    private func subscribe(sees: [String] = ["demo", "other"]) -> Int {
        feed.connected(one)
        return feed.subscribe(one, sink: sink, acknowledges: false, origin: .test) { sees.contains($0) }
    }

    @Test("nothing goes out before the snapshot has, and then what has changed since")
    func snapshot() {
        feed.publish("demo", generation: 1)
        #expect(subscribe() == 1)
        feed.publish("demo", generation: 2)
        #expect(sink.take() == nil)
        feed.release(one)
        #expect(sink.take() == ["demo=2"])
    }

    @Test("a slow reader has one notification under way, and the next one tells the last of what changed meanwhile")
    func folding() {
        _ = subscribe()
        feed.release(one)
        feed.publish("other", generation: 1)
        for generation in 2...4 { feed.publish("demo", generation: generation) }
        feed.publish("other", generation: 2, isDeleted: true)
        #expect(sink.take() == ["other=1"])
        #expect(sink.take() == ["demo=4", "-other"])
        #expect(sink.take() == nil)
    }

    @Test("issuers that the caller may not see are never named")
    func hidden() {
        _ = subscribe(sees: ["demo"])
        feed.release(one)
        feed.publish("other", generation: 1)
        feed.publish("demo", generation: 1)
        #expect(sink.take() == ["demo=1"])
    }

    @Test("a connection that has ended is not subscribed again by a request that outlived it, and gets nothing")
    func ended() {
        _ = subscribe()
        feed.disconnected(one)
        #expect(feed.subscribe(one, sink: sink, acknowledges: false, origin: .test) { _ in true } == 0)
        #expect(!feed.isWatching(one))
        feed.release(one)
        feed.publish("demo", generation: 1)
        #expect(sink.take() == nil)
    }

    @Test("one that watches anew on its connection still serves what it did")
    func again() {
        _ = subscribe()
        feed.noteFetch(by: one, issuer: "demo", generation: 3)
        _ = subscribe()
        #expect(feed.frontendCount == 1 && !feed.isAwaiting("demo", generation: 3) && feed.isAwaiting("demo", generation: 4))
    }
}
