import IssuerStore
import KeyLifecycle
import Testing

@testable import Agent

private struct Refusal: Error, CustomStringConvertible {
    let description = "refused"
}

/// Without token and store: what an agent owes, and when it tries again.
@Suite("What is to be done about keys that no ring holds")
struct KeyObligationsTests {
    private let demo = Scene.demo
    private let other = IssuerName("other")!

    @Test("a generation is its own change's as long as it is under way, and looked after once it was cut off")
    func cutOff() {
        var obligations = KeyObligations()
        let intent = Scene.intent(1)
        obligations.beginGeneration(intent.keyID)
        #expect(obligations.underWay == [intent.keyID])
        obligations.noteIntent(intent)
        #expect(obligations.cutOff(of: demo).isEmpty)
        obligations.endGeneration(intent.keyID)
        #expect(obligations.cutOff(of: demo) == [intent] && obligations.cutOff(of: other).isEmpty)
        obligations.concludeIntent(intent.keyID)
        #expect(obligations.cutOff(of: demo).isEmpty)
    }

    @Test("a change that brings a key into its ring ends the intent, and leaves the keys it ends to be destroyed")
    func change() throws {
        var obligations = KeyObligations()
        let intent = Scene.intent(2)
        obligations.beginGeneration(intent.keyID)
        obligations.noteIntent(intent)
        let deletion = Scene.issuer(Scene.key(1, .active), Scene.key(3, .standby)).deleting(at: Scene.moment + 5)
        obligations.follow(deletion, fulfilling: [intent.keyID])
        obligations.endGeneration(intent.keyID)
        #expect(obligations.cutOff(of: demo).isEmpty)
        #expect(Set(obligations.destructions(of: demo).map(\.keyID)) == [Scene.keyID(1), Scene.keyID(3)])
        #expect(obligations.destructions.allSatisfy { $0.requestedAt == Scene.moment + 5 && !$0.isStray && $0.publicKey != nil })
        #expect(obligations.destructions(of: other).isEmpty && obligations.issuersOfDestructions == [demo])
        #expect(obligations.isToBeDestroyed(Scene.keyID(1)))
        obligations.noteDestroyed(Scene.keyID(1))
        #expect(!obligations.isToBeDestroyed(Scene.keyID(1)) && obligations.destructions.count == 1)
    }

    @Test("a key that is given up leaves the quarantine, and what is on another token is no more than stray")
    func abandoning() {
        let kept = QuarantinedKey(keyID: Scene.keyID(1), kid: "kid", issuer: demo, publicKey: nil, since: Scene.moment)
        let nameless = QuarantinedKey(keyID: Scene.keyID(2), kid: nil, issuer: demo, publicKey: nil, since: Scene.moment)
        var obligations = KeyObligations()
        obligations.load(
            StoreContents(
                issuers: [], intents: [], destructions: [Scene.destruction(3)], lastChange: nil, quarantined: [kept, nameless]))
        #expect(obligations.quarantinedKey(named: "kid") == kept)
        #expect(obligations.quarantinedKey(named: "\(Scene.keyID(2))") == nameless)
        obligations.abandon(Scene.destruction(1))
        #expect(obligations.quarantined == [nameless] && obligations.quarantinedKey(named: "kid") == nil)
        #expect(obligations.destructions.map(\.keyID) == [Scene.keyID(3), Scene.keyID(1)])
        obligations.strandDestructions()
        #expect(obligations.destructions == [Scene.destruction(3, isStray: true), Scene.destruction(1, isStray: true)])
    }

    @Test("work that fails is tried again after 15 seconds, each time twice as long, up to five minutes")
    func backoff() {
        var retries = RetrySchedule()
        var now: Int64 = 100
        for pause: Int64 in [15, 30, 60, 120, 240, 300, 300] {
            retries.note(Refusal(), of: demo, at: now, tokenGeneration: 1)
            #expect(retries.takeDue(at: now + pause - 1, tokenGeneration: 1) == [])
            #expect(retries.takeDue(at: now + pause, tokenGeneration: 1) == [demo])
            #expect(retries.takeDue(at: .max - 1, tokenGeneration: 1) == [], "it is under way")
            now += pause
        }
        #expect(retries.failures[demo]?.count == 7 && retries.failures[demo]?.message == "refused")
        for _ in 1...60 { retries.note(Refusal(), of: demo, at: now, tokenGeneration: 1) }
        #expect(retries.failures[demo]?.retryAt == now + 300)
        retries.clear(demo)
        #expect(retries.failures.isEmpty)
    }

    @Test("it is tried at once where the module was initialised anew, once, and where the store is in use again")
    func sooner() {
        var retries = RetrySchedule()
        for name in [demo, other] { retries.note(Refusal(), of: name, at: 0, tokenGeneration: 1) }
        let reinitialised = retries.takeDue(at: 1, tokenGeneration: 2)
        #expect(Set(reinitialised) == [demo, other])
        #expect(retries.takeDue(at: 1, tokenGeneration: 2) == [])
        retries.hasten(at: 2)
        #expect(retries.takeDue(at: 1, tokenGeneration: 2) == [])
        let inUseAgain = retries.takeDue(at: 2, tokenGeneration: 2)
        #expect(Set(inUseAgain) == [demo, other])
    }
}

@Suite("What time has made due")
struct DueTransitionsTests {
    private let demo = Scene.demo

    @Test("the transitions of an issuer are queued once, until they have been made")
    func queueing() {
        var due = DueTransitions()
        #expect(!due.isQueued(demo))
        due.queue(demo)
        #expect(due.isQueued(demo))
        due.end(demo)
        #expect(!due.isQueued(demo))
    }

    @Test("a rotation waits for a frontend for ten minutes, and anew for the next")
    func holding() {
        var due = DueTransitions()
        #expect(due.hold(demo, isAwaiting: false, at: 0) == .free)
        #expect(due.hold(demo, isAwaiting: true, at: 10) == .begins)
        #expect(due.hold(demo, isAwaiting: true, at: 609) == .goesOn)
        #expect(due.hold(demo, isAwaiting: true, at: 610) == .ends)
        #expect(due.hold(demo, isAwaiting: true, at: 611) == .begins)
        #expect(due.hold(demo, isAwaiting: false, at: 612) == .free)
        #expect(due.hold(demo, isAwaiting: true, at: 1_300) == .begins, "that the frontend was there has ended the wait")
    }
}

@Suite("How many frontends the store knows of")
struct NotedFrontendsTests {
    @Test("one more is noted at once, one less only once it has been away for a minute on end")
    func looks() {
        var frontends = NotedFrontends(count: 1)
        #expect(frontends.look(2) == true)
        frontends.note(2)
        #expect(frontends.count == 2)
        let short = Array(repeating: false, count: NotedFrontends.patience - 1)
        #expect(short.map { _ in frontends.look(1) } == short)
        #expect(frontends.look(2) == false, "it is back")
        #expect(short.map { _ in frontends.look(0) } == short)
        #expect(frontends.look(0) == true)
        #expect(frontends.look(0) == true, "the store could not be told")
        frontends.note(0)
        #expect(frontends.look(0) == false)
    }
}

@Suite("Where issuer URLs are minted")
struct IssuerURLsTests {
    @Test("under the origin and the deployment's path, each with a name of its own")
    func minting() {
        let urls = IssuerURLs(publicBaseURL: "https://a.example", tenant: "t1")
        let (one, two) = (urls.mint(), urls.mint())
        #expect(one != two && one.hasPrefix("https://a.example/t1/") && one.hasSuffix("/"))
    }

    @Test("an issuer is elsewhere when its URL is under another origin, however alike, and one without a URL is not")
    func elsewhere() {
        func issuer(_ name: String, _ url: String?) -> Issuer {
            Issuer(
                name: IssuerName(name)!, generation: 1, createdAt: Scene.moment, changedAt: Scene.moment,
                settings: IssuerSettings(), profile: url.map { .enabled(url: $0) } ?? .disabled, acceptedIssuers: [],
                ring: KeyRing(keys: []), lastRotationAt: nil, maxAgeHorizon: nil)
        }
        let urls = IssuerURLs(publicBaseURL: "https://a.example", tenant: "t1")
        let issuers = [
            issuer("here", "https://a.example/t1/1/"), issuer("alike", "https://a.example.org/t1/1/"),
            issuer("gone", "https://b.example/t1/1/"), issuer("plain", nil),
        ]
        #expect(urls.elsewhere(among: issuers).map(\.text) == ["alike", "gone"])
    }
}
