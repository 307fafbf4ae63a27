import AgentProtocol
import TestSupport
import Testing

@testable import OIDCFrontend

/// A store that several agents share, agents that see it late, and a frontend that hears them in any order.
@Suite("Several agents in any order")
struct InterleavingTests {
    @Test(
        "nothing served goes back, what is confirmed is no older than the store was, and in the end all is as the store says",
        arguments: 1...12)
    func anyOrder(seed: UInt64) {
        var fleet = Fleet(seed: seed, agents: 2 + Int(seed % 4), issuers: 1 + Int(seed % 5))
        for _ in 0..<3_000 {
            fleet.step()
            guard fleet.complaints.isEmpty else { break }
        }
        fleet.settle()
        #expect(fleet.complaints == [], "seed \(seed)")
        #expect(fleet.changes > 100 && fleet.confirmations > 20, "seed \(seed): \(fleet.changes), \(fleet.confirmations)")
    }
}

private struct Fleet {
    /// An issuer in the store: its generation, and whether it has been deleted at that.
    struct Entry: Equatable {
        var generation = 0
        var isThere = false
    }

    struct Agent {
        /// The store as it saw it last, and when it did by the one clock there is.
        var view: [String: Entry] = [:]
        var viewedAt: Int64 = 0
        /// Issuers that it has notified of, and deletions as such, which the follower has not handled.
        var notices: [(issuer: String, deletedAt: Int?)] = []
        /// What the follower is asking about.
        var questions: [String] = []
        var acknowledged: [String: Int] = [:]
    }

    private var random: SeededGenerator
    private let names: [String]
    private var store: [String: Entry] = [:]
    /// The store at each moment, in order.
    private var history: [(at: Int64, store: [String: Entry])] = [(0, [:])]
    private var agents: [Agent]
    private var publication: Publication
    private var now: Int64 = 1
    /// The highest generation served, or deleted, by issuer.
    private var reached: [String: Entry] = [:]
    private(set) var changes = 0
    private(set) var confirmations = 0
    private(set) var complaints: [String] = []

    private static let second: Int64 = 1_000_000_000

    init(seed: UInt64, agents: Int, issuers: Int) {
        random = SeededGenerator(seed: seed)
        names = (0..<issuers).map { "i\($0)" }
        self.agents = Array(repeating: Agent(), count: agents)
        publication = Publication(agents: (0..<agents).map { "agent \($0)" })
        for agent in 0..<agents { begin(agent) }
    }

    mutating func step() {
        now += Int64.random(in: 0...2 * Self.second, using: &random)
        let agent = agents.indices.randomElement(using: &random)!
        switch Int.random(in: 0..<40, using: &random) {
        case 0...1: change(by: agent)
        case 2...6: look(agent)
        case 7...14: handleNotice(agent)
        case 15...29: ask(agent)
        case 30...34: takeNews(agent)
        case 35...38: beat(agent)
        default: begin(agent)
        }
        check()
    }

    /// Lets everything that is under way come to its end.
    mutating func settle() {
        for agent in agents.indices { look(agent) }
        for _ in 0..<4 {
            for agent in agents.indices {
                takeNews(agent)
                while !agents[agent].notices.isEmpty || !agents[agent].questions.isEmpty {
                    handleNotice(agent)
                    ask(agent)
                }
                beat(agent)
                while !agents[agent].questions.isEmpty { ask(agent) }
                check()
            }
        }
        let there = store.filter(\.value.isThere).mapValues(\.generation)
        if publication.results.mapValues(\.generation) != there { complaints.append("in the end it is not as the store says") }
        if publication.asOf != now { complaints.append("in the end it is not confirmed") }
        for agent in agents.indices where there != agents[agent].acknowledged.filter({ there[$0.key] != nil }) {
            complaints.append("agent \(agent) was not told what is served")
        }
    }

    // MARK: - The agents

    /// A commit by an agent, which has looked at the store before.
    private mutating func change(by agent: Int) {
        look(agent)
        let name = names.randomElement(using: &random)!
        var entry = store[name] ?? Entry()
        if entry.isThere, Int.random(in: 0..<4, using: &random) == 0 {
            entry.isThere = false
        } else {
            entry = Entry(generation: entry.generation + 1, isThere: true)
        }
        store[name] = entry
        history.append((now, store))
        changes += 1
        look(agent)
    }

    /// An agent reads the store, and tells of what has changed.
    private mutating func look(_ agent: Int) {
        for name in names where store[name] != agents[agent].view[name] {
            agents[agent].notices.removeAll { $0.issuer == name }
            let entry = store[name] ?? Entry()
            agents[agent].notices.append((name, entry.isThere ? nil : entry.generation))
            // As the agent does: what was acknowledged of one that is gone does not count.
            if !entry.isThere { agents[agent].acknowledged[name] = nil }
        }
        agents[agent].view = store
        agents[agent].viewedAt = now
    }

    private var secondsAgo: (Agent) -> Int {
        { [now] in Int(Freshness.seconds(from: $0.viewedAt, to: now)) }
    }

    // MARK: - Its follower

    private mutating func begin(_ agent: Int) {
        _ = publication.meet("first", by: agent, namesIssuers: true)
        agents[agent].notices = []
        agents[agent].acknowledged = [:]
        let listed = agents[agent].view.filter(\.value.isThere).map(\.key)
        agents[agent].questions = Set(listed).union(publication.results.keys).sorted()
        if agents[agent].questions.isEmpty { beat(agent) }
    }

    private mutating func handleNotice(_ agent: Int) {
        // One thing after the other.
        guard agents[agent].questions.isEmpty, !agents[agent].notices.isEmpty else { return }
        let notice = agents[agent].notices.removeFirst()
        if let generation = notice.deletedAt, publication.takeDeletion(of: notice.issuer, at: generation, from: agent, at: now) {
            return hearOut(agent)
        }
        agents[agent].questions = [notice.issuer]
    }

    private mutating func ask(_ agent: Int) {
        guard let name = agents[agent].questions.popLast() else { return }
        let entry = agents[agent].view[name] ?? Entry()
        let view = StoreView(confirmedSecondsAgo: secondsAgo(agents[agent]))
        if entry.isThere {
            switch publication.take(said(name, entry.generation), from: agent, at: moment(0)) {
            case .served(let served): acknowledge([served], agent)
            case .older(let served): acknowledge([ServedIssuer(served)], agent)
            case .ended: break
            case .foreign: complaints.append("its own agent is foreign")
            }
            publication.agents[agent].hear(view, sentAt: now)
        } else {
            let deletedAt = entry.generation > 0 ? entry.generation : nil
            _ = publication.takeAbsence(of: name, deletedAt: deletedAt, from: agent, at: now)
        }
        if agents[agent].questions.isEmpty { hearOut(agent) }
    }

    private mutating func takeNews(_ agent: Int) {
        guard agents[agent].questions.isEmpty else { return }
        let news = publication.agents[agent].takeNews()
        acknowledge(news.unacknowledged.compactMap { publication.results[$0].map(ServedIssuer.init) }, agent)
        agents[agent].questions = news.toAsk.sorted()
    }

    private mutating func beat(_ agent: Int) {
        guard agents[agent].questions.isEmpty else { return }
        publication.agents[agent].hear(StoreView(confirmedSecondsAgo: secondsAgo(agents[agent])), sentAt: now)
        agents[agent].questions = publication.agents[agent].questions.sorted()
        hearOut(agent)
    }

    /// Only once all that the agent has told of is taken, which is a matter of milliseconds.
    private mutating func hearOut(_ agent: Int) {
        guard agents[agent].notices.isEmpty, agents[agent].questions.isEmpty else { return }
        let before = publication.asOf
        publication.hearOut(agent, at: moment(0), uptime: now)
        if publication.asOf != before { confirmations += 1 }
    }

    private mutating func acknowledge(_ served: [ServedIssuer], _ agent: Int) {
        for issuer in served {
            if publication.results[issuer.name]?.generation != issuer.generation {
                complaints.append("\(issuer.name) is acknowledged in \(issuer.generation), and that is not served")
            }
            // An agent takes no note of what it does not know.
            guard agents[agent].view[issuer.name]?.isThere == true else { continue }
            agents[agent].acknowledged[issuer.name] = max(agents[agent].acknowledged[issuer.name] ?? 0, issuer.generation)
        }
    }

    private func said(_ name: String, _ generation: Int) -> DiscoveryResult {
        discovery(of: name, generation: generation, [url(name, [(wire(0), "k\(generation)")])])
    }

    // MARK: - What must hold

    private mutating func check() {
        for name in names {
            let served = publication.results[name]?.generation
            let former = reached[name] ?? Entry()
            if let served {
                if served < former.generation || !former.isThere && served == former.generation {
                    complaints.append("\(name) went back from \(former) to \(served)")
                }
                if served > store[name]?.generation ?? 0 { complaints.append("\(name) is served in \(served), which never was") }
                if publication.jwks(name, at: 0) != jwksBody("k\(served)") { complaints.append("\(name) has other documents") }
                reached[name] = Entry(generation: served, isThere: true)
            } else if former.isThere {
                // It was deleted at that generation or a later one.
                reached[name] = Entry(generation: former.generation, isThere: false)
            }
        }
        let doubted = publication.doubted(at: now, staleAfter: 1_000_000)
        if !doubted.isEmpty { complaints.append("\(doubted) are in doubt") }
        guard let asOf = publication.asOf, let then = history.last(where: { $0.at < asOf })?.store else { return }
        for (name, entry) in then {
            let served = publication.results[name]?.generation
            if entry.isThere {
                if let served, served >= entry.generation { continue }
                // Gone since.
                if served == nil, let present = store[name], !present.isThere || present.generation > entry.generation {
                    continue
                }
                complaints.append("\(name) was \(entry) as of the confirmation, and is served in \(served ?? 0)")
            } else if let served, served <= entry.generation {
                complaints.append("\(name) was \(entry) as of the confirmation, and is served in \(served)")
            }
        }
    }
}
