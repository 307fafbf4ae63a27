import IssuerStore
import KeyLifecycle
import Testing

@testable import Agent

/// Without token and store: what follows from what both have shown.
@Suite("What the token is to an agent")
struct TokenStandingTests {
    private let demo = Scene.demo
    private let other = IssuerName("other")!
    private let note = AgentNote(agent: "aaaaaaaaaaaaaaaa", process: 1, host: "host")

    private var standing: TokenStanding { TokenStanding(note: note) }

    private func contents(copiedAt: Timestamp? = nil, agents: Set<String> = []) -> StoreContents {
        StoreContents(
            issuers: [Scene.issuer(Scene.key(1, .active))], intents: [], destructions: [], lastChange: nil, token: Scene.token,
            copiedAt: copiedAt, agents: agents)
    }

    /// What a token shows that holds a key the store has never heard of; `of` its issuer.
    private func plan(unknownOf name: String? = nil, copiedAt: Timestamp? = nil) -> ReconciliationPlan {
        Scene(
            issuers: [Scene.issuer(Scene.key(1, .active))], copiedAt: copiedAt,
            entries: [Scene.pair(1)] + (name.map { [Scene.pair(2, issuer: $0)] } ?? [])
        ).plan
    }

    private func isUnchecked(_ refusal: SigningRefusal?) -> Bool {
        if case .hsm(let error) = refusal { error == .unchecked } else { false }
    }

    @Test("nothing is signed before the token has been looked at, and afterwards unless the issuer is in quarantine")
    func firstLook() {
        var standing = standing
        standing.load(contents())
        #expect(!standing.maySign && isUnchecked(standing.refusal(of: demo)))
        standing.adopt(plan(unknownOf: "demo"))
        #expect(standing.maySign && standing.quarantine(of: demo) == .unknownKeys(1))
        guard case .issuer(let error) = standing.refusal(of: demo) else {
            Issue.record("an issuer in quarantine signs")
            return
        }
        #expect(error.code == .issuerQuarantined)
        #expect(standing.refusal(of: other) == nil && standing.standstill == nil)
    }

    @Test(
        "an issuer that serves goes on serving whatever a later look shows, and one in quarantine leaves it once nothing speaks for it"
    )
    func laterLooks() {
        var standing = standing
        standing.load(contents())
        standing.adopt(plan())
        standing.note(plan(unknownOf: "demo"))
        standing.adopt(plan(unknownOf: "demo"))
        #expect(standing.quarantine.isEmpty && standing.lastPlan?.quarantine[demo] == .unknownKeys(1))
        standing = self.standing
        standing.adopt(plan(unknownOf: "demo"))
        standing.adopt(plan(unknownOf: "other"))
        #expect(standing.quarantine.isEmpty)
    }

    @Test("of a copied store every issuer is in quarantine from the start, and no key is made for any other")
    func copy() {
        var standing = standing
        standing.load(contents(copiedAt: Scene.moment))
        #expect(standing.quarantine(of: demo) == .copiedStore(Scene.moment))
        #expect(standing.quarantine(of: other) == nil && standing.standstill == .copiedStore(Scene.moment))
        standing.adopt(plan(copiedAt: Scene.moment))
        #expect(standing.quarantine(among: [demo, other]) == [demo: .copiedStore(Scene.moment)])
        #expect(!standing.isCheckDue(at: 0, tokenGeneration: 2, hasIssuers: false), "another token would not change that")
    }

    @Test("another agent that was there first stops every issuer, and every key that is to be made")
    func rival() throws {
        var standing = standing
        standing.load(contents())
        standing.adopt(plan(unknownOf: "demo"))
        let begun = standing.agents.beginLook()
        let look = try #require(begun)
        let stranger = AgentNote(agent: "bbbbbbbbbbbbbbbb", process: 2, host: "host")
        #expect(standing.agents.find([stranger], by: look).isNews == true)
        let why = Quarantine.anotherAgent(stranger.whose)
        #expect(!standing.maySign && standing.standstill == why)
        #expect(standing.quarantine(among: [demo, other]) == [demo: why, other: why])
        #expect(standing.quarantine == [demo: .unknownKeys(1)], "which is what is left once the other one has gone")
    }

    @Test("what was proven of a token holds until the module is initialised anew, and an empty store needs no proof")
    func proof() {
        var standing = standing
        #expect(!standing.mayTouch(tokenGeneration: 1, hasIssuers: true))
        #expect(standing.mayTouch(tokenGeneration: 1, hasIssuers: false))
        standing.noteProven(tokenGeneration: 1)
        #expect(standing.mayTouch(tokenGeneration: 1, hasIssuers: true) && standing.isProven(tokenGeneration: 1))
        #expect(!standing.mayTouch(tokenGeneration: 2, hasIssuers: true) && !standing.isProven(tokenGeneration: 2))
    }

    @Test("a token is known by name and number, and by no number it is not")
    func known() {
        var standing = standing
        #expect(!standing.isKnown(Scene.token))
        standing.noteKnown(Scene.token)
        #expect(standing.isKnown(Scene.token) && !standing.isKnown(TokenIdentity(label: "t", serial: "2")))
        let numberless = TokenIdentity(label: "t", serial: "")
        standing.noteKnown(numberless)
        #expect(!standing.isKnown(numberless))
    }

    @Test("a token is looked at for the first time, again a second after that failed, and anew once the module was initialised")
    func checks() {
        var standing = standing
        standing.load(contents())
        func isDue(_ standing: TokenStanding, at now: Int64, _ generation: Int = 1) -> Bool {
            standing.isCheckDue(at: now, tokenGeneration: generation, hasIssuers: true)
        }
        #expect(isDue(standing, at: 7))
        standing.postponeCheck(at: 7)
        #expect(!isDue(standing, at: 7) && isDue(standing, at: 8))
        standing.adopt(plan())
        #expect(!isDue(standing, at: 8), "it has been examined, though it has shown nothing")
        #expect(isDue(standing, at: 8, 2))
        standing.noteExamined(tokenGeneration: 2)
        #expect(!isDue(standing, at: 8, 2))
        standing.noteProven(tokenGeneration: 3)
        #expect(!isDue(standing, at: 8, 3))
    }

    @Test("a token that has put an issuer in quarantine is looked at once more after each initialisation, proven or not")
    func quarantineChecks() {
        var standing = standing
        standing.note(plan(unknownOf: "demo"))
        standing.adopt(plan(unknownOf: "demo"))
        standing.noteProven(tokenGeneration: 1)
        #expect(!standing.isCheckDue(at: 0, tokenGeneration: 1, hasIssuers: true))
        standing.noteProven(tokenGeneration: 2)
        #expect(standing.isCheckDue(at: 0, tokenGeneration: 2, hasIssuers: true))
    }
}

@Suite("Looks for other agents on the token")
struct OtherAgentsLookTests {
    private func note(_ digit: Character, answers: Int = 0) -> AgentNote {
        var note = AgentNote(agent: String(repeating: digit, count: 16), process: 1, host: "host")
        note.answers = answers
        return note
    }

    private func begin(_ agents: inout OtherAgents) throws -> OtherAgents.Look {
        let look = agents.beginLook()
        return try #require(look)
    }

    /// One that has looked and put its note on the token.
    private func begun() throws -> OtherAgents {
        var agents = OtherAgents(own: note("b"))
        let look = try begin(&agents)
        #expect(look.isThorough && look.kept == nil)
        let finding = agents.find([], by: look)
        #expect(finding.isFirst && finding.wanted == agents.own && !finding.isNews)
        #expect(agents.noteKept(true, of: finding) == true, "the first answer is news")
        agents.endLook()
        return agents
    }

    @Test("one look at a time, the first thorough, then one in sixty")
    func looks() throws {
        var agents = try begun()
        var thorough: [Int] = []
        for number in 2...120 {
            let look = try begin(&agents)
            let another = agents.beginLook()
            #expect(another == nil)
            #expect((look.kept == nil) == look.isThorough)
            if look.isThorough { thorough.append(number) }
            agents.endLook()
        }
        #expect(thorough == [60, 120])
    }

    @Test("a token that keeps no note is asked in thorough looks alone, and may take the note then")
    func noNotes() throws {
        var agents = OtherAgents(own: note("b"))
        let look = try begin(&agents)
        let finding = agents.find([], by: look)
        #expect(agents.noteKept(false, of: finding) == true)
        #expect(!agents.keepsNote)
        agents.endLook()
        var looks: [OtherAgents.Look] = []
        for _ in 2...60 {
            guard let look = agents.beginLook() else { continue }
            looks.append(look)
            agents.endLook()
        }
        #expect(looks.count == 1)
        let later = agents.find([], by: try #require(looks.first))
        #expect(later.wanted == agents.own)
        #expect(agents.noteKept(true, of: later) == true)
        #expect(agents.noteKept(true, of: later) == false)
        #expect(agents.keepsNote)
    }

    @Test(
        "a look whose note could not be put on the token is made again, unless an operator has spoken or another agent was found")
    func takingBack() throws {
        var agents = OtherAgents(own: note("b"))
        let look = try begin(&agents)
        let finding = agents.find([], by: look)
        #expect(agents.hasBegun)
        var failed = agents
        failed.takeBack(finding)
        #expect(!failed.hasBegun)
        var accepted = agents
        accepted.accept(accepted.accepting([]).accepted)
        let second = accepted.find([], by: OtherAgents.Look(isThorough: true, kept: nil))
        accepted.takeBack(finding)
        #expect(accepted.hasBegun && second.isFirst)
        var met = OtherAgents(own: note("b"))
        let meeting = met.find([note("c")], by: OtherAgents.Look(isThorough: true, kept: nil))
        #expect(meeting.isNews && met.rival == note("c"))
        met.takeBack(meeting)
        #expect(met.rival == note("c"))
    }

    @Test("one that was there later looks no more until an operator has said that the token is its own, and then anew")
    func operatorsWord() throws {
        var agents = OtherAgents(own: note("b"))
        let look = try begin(&agents)
        _ = agents.find([note("c")], by: look)
        agents.endLook()
        let refused = agents.beginLook()
        #expect(refused == nil)
        let (accepted, noted) = agents.accepting([note("c")])
        #expect(agents.rival != nil, "the store is told first")
        #expect(noted == Set([note("b"), note("c")].map(\.agent)))
        agents.accept(accepted)
        #expect(agents.rival == nil && !agents.hasBegun)
        let anew = try begin(&agents)
        #expect(anew.isThorough)
    }
}
