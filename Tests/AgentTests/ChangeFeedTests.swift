import AgentProtocol
import Platform
import Testing

@testable import Agent

/// Without token and socket: who is waited for, and what is said of it.
@Suite("Who serves what a change publishes")
struct ChangeFeedTests {
    private struct Sink: NotificationSink {
        func notify(_ changes: IssuerChanges, written: @escaping @Sendable () -> Void) { written() }
    }

    /// As long as a busy machine may take; what is not waited for ends at once.
    private let feed = ChangeFeed(limits: ChangeFeed.Limits(publication: .seconds(120), comeback: .seconds(120)))

    private func watch(_ number: UInt64, acknowledges: Bool = true, sees: [String] = ["demo"]) -> ConnectionID {
        let connection = ConnectionID(number: number)
        feed.connected(connection)
        _ = feed.subscribe(connection, sink: Sink(), acknowledges: acknowledges) { sees.contains($0) }
        feed.release(connection)
        return connection
    }

    private func serves(_ connection: ConnectionID, generation: Int, urls: Int = 1, of name: String = "demo") -> Bool {
        feed.acknowledge([ServedIssuer(name: name, generation: generation, urls: urls)], by: connection)
    }

    /// The outcome, after what `meanwhile` does while somebody waits for it.
    private func publication(_ generation: Int, _ meanwhile: @escaping @Sendable () -> Void) async -> PublicationView {
        async let view = feed.awaitPublication(of: "demo", generation: generation)
        while feed.state.withLock({ $0.waiting.isEmpty }) { await Task.yield() }
        meanwhile()
        return await view
    }

    @Test("a frontend that acknowledges is waited for until it says that it serves it; that it has fetched it does not count")
    func acknowledgement() async {
        let one = watch(1)
        #expect(serves(one, generation: 1))
        let view = await publication(2) {
            feed.noteFetch(by: one, issuer: "demo", generation: 2)
            #expect(feed.state.withLock { !$0.waiting.isEmpty })
            #expect(serves(one, generation: 2))
        }
        #expect(view == PublicationView(outcome: "published", published: 1, watching: 1))
    }

    @Test("one that watches and has not said anything yet is waited for, also for an issuer that is new")
    func unsettled() async {
        let one = watch(1)
        let view = await publication(1) { #expect(serves(one, generation: 1)) }
        #expect(view.outcome == "published")
    }

    @Test("one that is not shown the issuer is not waited for, nor believed, and takes no room")
    func hidden() async {
        let one = watch(1, sees: ["other"])
        #expect(serves(one, generation: 9))
        #expect(await feed.awaitPublication(of: "demo", generation: 1) == .unserved)
        #expect(feed.state.withLock { $0.watchers[one]?.served.isEmpty } == true)
    }

    @Test("nobody serves an issuer whose frontends all say that they serve no URL of it")
    func noURL() async {
        let (one, two) = (watch(1), watch(2))
        #expect(serves(one, generation: 1, urls: 0) && serves(two, generation: 2, urls: 0))
        let view = await publication(2) { #expect(serves(one, generation: 2, urls: 0)) }
        #expect(view == .unserved)
    }

    @Test("a watcher that says nothing serves what it has fetched, and an issuer it never fetched is none of its business")
    func silent() async {
        let one = watch(1, acknowledges: false)
        #expect(!serves(one, generation: 1))
        #expect(await feed.awaitPublication(of: "demo", generation: 1) == .unserved)
        feed.noteFetch(by: one, issuer: "demo", generation: 1)
        let view = await publication(2) { feed.noteFetch(by: one, issuer: "demo", generation: 2) }
        #expect(view == PublicationView(outcome: "published", published: 1, watching: 1))
    }

    @Test("as many as there were before a restart are waited for, and none once they are back")
    func comeback() async {
        feed.expect(2)
        let view = await publication(1) {
            #expect(serves(watch(1), generation: 1))
            #expect(feed.state.withLock { !$0.waiting.isEmpty })
            #expect(serves(watch(2), generation: 1))
        }
        #expect(view == PublicationView(outcome: "published", published: 2, watching: 2))
        feed.disconnected(ConnectionID(number: 1))
        #expect(await feed.awaitPublication(of: "demo", generation: 1).watching == 1)
    }

    @Test("one that does not come back is waited for no longer than that takes, and is missing in what is said")
    func missing() async {
        let feed = ChangeFeed(limits: ChangeFeed.Limits(publication: .milliseconds(1), comeback: .milliseconds(1)))
        feed.expect(1)
        let view = await feed.awaitPublication(of: "demo", generation: 1)
        #expect(view == .unserved || view == PublicationView(outcome: "timed-out", published: 0, watching: 1))
        while feed.state.withLock({ $0.expected }) != 0 { await Task.yield() }
        #expect(await feed.awaitPublication(of: "demo", generation: 1) == .unserved)
    }

    @Test("what was served of an issuer that was deleted does not count for its successor")
    func successor() async {
        let one = watch(1)
        #expect(serves(one, generation: 5))
        feed.publish(WatchedIssuer(name: "demo", generation: 5, deleted: true))
        let view = await publication(1) { #expect(serves(one, generation: 1)) }
        #expect(view.outcome == "published")
    }
}
