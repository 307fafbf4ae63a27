import FleetHistory
import TestSupport

/// Three agents, their frontends, a store and a token, as a few hundred ticks of a clock of their own.
///
/// It keeps to what a fleet must keep to, unless it is told to leave one thing out: then it is the fleet that the checker is there
/// to catch. Its token is the worst that there may be: who has a key's handle signs on after the key was destroyed.
struct ModelFleet {
    /// What an agent does not do, or does wrongly.
    enum Fault: String, CaseIterable, Sendable {
        /// It looks neither before it signs nor before it hands over how old its view is.
        case noFence
        /// It looks before it signs, and not again before it hands over.
        case noSecondLook
        /// It drops a retiring key by its own wall clock, whatever the others' show.
        case wrongClock
        /// It takes a watch that is silent for the word that nothing has changed.
        case trustsWatch
        /// It says that a revocation has settled as soon as it is committed.
        case settlesAtOnce
        /// Its commit compares nothing.
        case noComparison
    }

    private struct View {
        var revision = 0
        var generation = 1
        var active = "k1"
        var standby: String? = "k2"
        var standbySince = -1_000
        var retiring: (kid: String, until: Int)?

        func kids(at now: Int) -> [String] {
            [active] + [standby].compactMap { $0 } + (retiring.map { $0.until > now ? [$0.kid] : [] } ?? [])
        }
    }

    private struct Agent {
        let name: String
        var view = View()
        var confirmedAt = 0
        var pausedUntil = 0
        var cutUntil = 0
        /// The wall clock's offset, in ticks.
        var clock = 0
        /// Signed before it came to stand still, and not handed over: kid, and when it was asked for.
        var inHand: (kid: String, asked: Int)?
    }

    private struct Frontend {
        let name: String
        var view = View()
        var confirmedAt = 0
    }

    /// A change whose reply waits for the others.
    private struct Waiting {
        let agent: Int
        let begin: Int
        let committed: Int
        let view: View
        let revoked: [String]
        let retiring: (kid: String, until: Int)?
        let condition: Int
    }

    // In ticks, ten a second.
    private static let staleness = 100
    private static let staleAfter = 300
    private static let lifetime = 400
    private static let tolerance = 50

    let history = History(wallOffset: 0)
    private let fault: Fault?
    private var generator: SeededGenerator
    private var committed = View()
    private var agents = ["a", "b", "c"].map { Agent(name: $0) }
    private var frontends = ["f", "g", "h"].map { Frontend(name: $0) }
    private var waiting: [Waiting] = []
    private var keys = 2
    /// When somebody rotated last.
    private var rotatedAt = -1
    private var signatures = 0
    private var now = 0

    /// What a checker finds when it has gone on for so many seconds.
    static func run(_ fault: Fault?, seed: UInt64, seconds: Int = 600) async -> CheckReport {
        var fleet = ModelFleet(fault, seed: seed)
        for _ in 0..<seconds * 10 { fleet.tick() }
        var limits = FleetChecker.Limits()
        limits.staleAfter = moment(staleAfter)
        return await FleetChecker(fleet.history, limits: limits) { jwk, jwt, _ in jwk.contains(#""kid":"\#(jwt)""#) }.check()
    }

    private init(_ fault: Fault?, seed: UInt64) {
        self.fault = fault
        generator = SeededGenerator(seed: seed)
    }

    private static func moment(_ ticks: Int) -> Moment { Moment(ticks) * 100_000_000 }

    private func add(_ begin: Int, _ what: Happening) {
        // An answer is read a hundredth of a second after it was handed over.
        history.add(Self.moment(begin), Self.moment(now) + 10_000_000, what)
    }

    private mutating func tick() {
        now += 1
        for index in agents.indices where agents[index].pausedUntil <= now {
            follow(index)
            sign(index)
            change(index)
            retire(index)
        }
        reply()
        for index in frontends.indices { serve(index) }
        afflict()
    }

    // What is done to it

    private mutating func afflict() {
        let index = Int.random(in: agents.indices, using: &generator)
        if Int.random(in: 0..<100, using: &generator) == 0, agents[index].pausedUntil <= now {
            let length = Int.random(in: 20...250, using: &generator)
            // Mostly it has a signature in hand.
            if generator.chance(80), mayStart(index) { agents[index].inHand = (agents[index].view.active, now) }
            agents[index].pausedUntil = now + length
            history.add(Self.moment(now), Self.moment(now + length), .deed(Deed("stop", [agents[index].name])))
        }
        if Int.random(in: 0..<150, using: &generator) == 0 {
            agents[index].cutUntil = now + Int.random(in: 20...250, using: &generator)
        }
        if now == 300 { agents[2].clock = 3_600 * 10 }
    }

    // Agents

    private mutating func follow(_ index: Int) {
        let isCut = agents[index].cutUntil > now
        if fault == .trustsWatch {
            // Events come at once, or never.
            if !isCut, agents[index].view.revision + 1 == committed.revision { adopt(index) }
            agents[index].confirmedAt = now
        } else if now % 20 == 0, !isCut {
            adopt(index)
            agents[index].confirmedAt = now
        }
    }

    private mutating func adopt(_ index: Int) { agents[index].view = committed }

    private func isConfirmed(_ index: Int) -> Bool { now - agents[index].confirmedAt <= Self.staleness }
    private func mayStart(_ index: Int) -> Bool { fault == .noFence || isConfirmed(index) }
    private func mayHandOver(_ index: Int) -> Bool { fault == .noFence || fault == .noSecondLook || isConfirmed(index) }

    private mutating func sign(_ index: Int) {
        if let (kid, asked) = agents[index].inHand {
            agents[index].inHand = nil
            if mayHandOver(index) { handOver(kid, index, asked) }
        }
        guard generator.chance(20), mayStart(index) else { return }
        handOver(agents[index].view.active, index, now)
    }

    private mutating func handOver(_ kid: String, _ index: Int, _ asked: Int) {
        signatures += 1
        // Dates are of when it was asked for.
        let expiry = Int64((asked + Self.lifetime) / 10)
        add(
            asked,
            .signature(
                Signature(agent: agents[index].name, issuer: "i", kid: kid, jti: "\(signatures)", expiresAt: expiry, jwt: kid)))
    }

    private mutating func change(_ index: Int) {
        guard now - agents[index].confirmedAt <= Self.staleness, agents[index].cutUntil <= now else { return }
        let view = agents[index].view
        let fits = fault == .noComparison || view.revision == committed.revision
        if view.standby == nil {
            guard fits else { return }
            keys += 1
            committed = view
            committed.revision += 1
            committed.generation += 1
            (committed.standby, committed.standbySince) = ("k\(keys)", now)
            agents[index].view = committed
        } else if now - view.standbySince > Self.staleAfter + Self.staleness,
            Int.random(in: 0..<400, using: &generator) == 0 || rotatedAt == now && generator.chance(50)
        {
            // Now and then another agent rotates at once, by the view that it has.
            rotatedAt = now
            rotate(index, fits)
        }
        if generator.chance(20) { showRing(index) }
    }

    private mutating func rotate(_ index: Int, _ fits: Bool) {
        let view = agents[index].view
        let change = Change(
            .rotate, agent: agents[index].name, issuer: "i", ifGeneration: view.generation, .refused("CONFLICT"))
        guard fits, let standby = view.standby else { return add(now, .change(change)) }
        let revoked = view.retiring.map { $0.until > now ? [$0.kid] : [] } ?? []
        var next = view
        next.revision += 1
        next.generation += 1
        next.active = standby
        next.standby = nil
        next.retiring = (view.active, now + Self.staleness + Self.tolerance + Self.lifetime)
        committed = next
        agents[index].view = next
        waiting.append(
            Waiting(
                agent: index, begin: now, committed: now, view: next, revoked: revoked, retiring: next.retiring,
                condition: view.generation))
    }

    private mutating func reply() {
        let changes = waiting
        waiting = changes.filter { change in
            let isOver = agents.allSatisfy {
                $0.view.revision >= change.view.revision && $0.pausedUntil <= now && $0.inHand == nil
            }
            let isWaitedOut = now - change.committed > Self.staleness + 20
            guard isOver || isWaitedOut || fault == .settlesAtOnce else { return true }
            let reply = ChangeReply(
                generation: change.view.generation, activeKid: change.view.active, revoked: change.revoked,
                retiringKid: change.retiring?.kid, retiringUntil: change.retiring.map { Int64($0.until / 10) },
                settlement: Settlement(settled: true))
            add(
                change.begin,
                .change(
                    Change(
                        .rotate, agent: agents[change.agent].name, issuer: "i", ifGeneration: change.condition, .done(reply))))
            return false
        }
    }

    /// Drops a retiring key when its end has come.
    private mutating func retire(_ index: Int) {
        let view = agents[index].view
        guard let retiring = view.retiring, agents[index].cutUntil <= now, isConfirmed(index),
            view.revision == committed.revision
        else { return }
        let clock = fault == .wrongClock ? now + agents[index].clock : now
        guard clock >= retiring.until else { return }
        committed.revision += 1
        committed.generation += 1
        committed.retiring = nil
        agents[index].view = committed
    }

    private func showRing(_ index: Int) {
        let view = agents[index].view
        var keys = [Ring.Key(kid: view.active, state: "active", isHeld: true)]
        if let standby = view.standby { keys.append(Ring.Key(kid: standby, state: "standby", isHeld: true)) }
        if let retiring = view.retiring {
            keys.append(Ring.Key(kid: retiring.kid, state: "retiring", expiresAt: Int64(retiring.until / 10), isHeld: true))
        }
        add(
            now,
            .ring(
                Ring(agent: agents[index].name, issuer: "i", generation: view.generation, activeKid: view.active, keys: keys)))
    }

    // Frontends, one beside each agent

    private mutating func serve(_ index: Int) {
        let agent = agents[index]
        if agent.pausedUntil <= now, agent.view.generation >= frontends[index].view.generation {
            frontends[index].view = agent.view
            frontends[index].confirmedAt = max(frontends[index].confirmedAt, agent.confirmedAt)
        }
        guard now % 10 == index else { return }
        let kids = frontends[index].view.kids(at: now)
        let text = #"{"keys":[\#(kids.map { #"{"kid":"\#($0)"}"# }.joined(separator: ","))]}"#
        let id = history.keySet(text, at: Self.moment(now))
        let isFresh = now - frontends[index].confirmedAt <= Self.staleAfter
        add(now, .document(DocumentFetch(frontend: frontends[index].name, issuer: "i", isFresh: isFresh, keySet: id)))
    }
}
