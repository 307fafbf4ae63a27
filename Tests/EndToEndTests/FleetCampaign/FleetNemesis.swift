import FaultyTokenSupport
import FleetHistory
import FleetSupport
import Foundation
import Platform
import ProcessSupport
import TestSupport

/// Something bad that happens to a fleet, and for how long.
struct FleetNemesis: Sendable, Equatable, CustomStringConvertible {
    enum Kind: Sendable, Equatable {
        case killAgent(Int)
        /// It is asked to end, and started again.
        case restartAgent(Int)
        case stopAgent(Int)
        case killMember(Int)
        case stopMember(Int)
        case killLeader
        case stopLeader
        /// Two members stand still: nobody has a majority.
        case stopMajority
        /// Ways from an agent to members.
        case storeWay(agent: Int, members: [Int], CuttableProxy.Behaviour)
        /// Ways from a frontend to agents.
        case agentWay(frontend: Int, agents: [Int], CuttableProxy.Behaviour)
        /// An agent's wall clock is so many seconds ahead.
        case clock(Int, Int)
        /// The token is gone for one agent, and there for the others.
        case tokenGone(Int)
        /// Its signatures are made, and their calls do not return.
        case tokenHolds(Int)
        /// Somebody writes straight into etcd, and an operator puts it right.
        case forge(Intruder.Forgery, issuer: Int)
    }

    let kind: Kind
    /// Before it, since the one before it in the same row ended.
    let pause: Duration
    let length: Duration

    var name: String {
        switch kind {
        case .killAgent: "kill agent"
        case .restartAgent: "restart agent"
        case .stopAgent: "stop agent"
        case .killMember: "kill member"
        case .stopMember: "stop member"
        case .killLeader: "kill leader"
        case .stopLeader: "stop leader"
        case .stopMajority: "stop majority"
        case .storeWay(_, _, let behaviour): "agent to store \(Self.text(behaviour))"
        case .agentWay(_, _, let behaviour): "frontend to agent \(Self.text(behaviour))"
        case .clock: "clock off"
        case .tokenGone: "token gone"
        case .tokenHolds: "token holds"
        case .forge(.foreignKey, _): "foreign key written"
        case .forge(.oldRecord, _): "old record written"
        case .forge(.swappedRecord, _): "swapped record written"
        }
    }

    private static func text(_ behaviour: CuttableProxy.Behaviour) -> String {
        switch behaviour {
        case .open: "open"
        case .delayed: "delayed"
        case .cut: "cut"
        case .silent: "silent"
        case .losesAnswers: "without answers"
        }
    }

    var description: String { "\(kind) for \(length) after \(pause)" }

    /// What happens to a fleet of a shape, row by row: rows go on beside each other. The same for the same seed.
    static func schedule(seed: UInt64, seconds: Int, isShared: Bool) -> [[FleetNemesis]] {
        var generator = SeededGenerator(seed: seed)
        return (isShared ? [processes, ways, intruders] : [alone]).map { row in
            var own = generator.fork()
            var (left, nemeses) = (Duration.seconds(seconds), [FleetNemesis]())
            while true {
                let nemesis = row(&own)
                left -= nemesis.pause + nemesis.length
                guard left >= .zero else { return nemeses }
                nemeses.append(nemesis)
            }
        }
    }

    private static func seconds(_ range: ClosedRange<Int>, _ generator: inout SeededGenerator) -> Duration {
        .milliseconds(Int.random(in: range.lowerBound * 1_000...range.upperBound * 1_000, using: &generator))
    }

    /// Longer than an agent signs by what it last knew, mostly.
    private static func long(_ generator: inout SeededGenerator) -> Duration {
        seconds(generator.chance(75) ? Fleet.staleness + 1...Fleet.staleness + 9 : 1...Fleet.staleness, &generator)
    }

    private static func processes(_ generator: inout SeededGenerator) -> FleetNemesis {
        let index = Int.random(in: 0..<3, using: &generator)
        let pause = seconds(2...6, &generator)
        let short = seconds(1...4, &generator)
        let long = long(&generator)
        let (kind, length): (Kind, Duration) =
            switch Int.random(in: 0..<16, using: &generator) {
            case 0..<4: (.stopAgent(index), long)
            case 4..<7: (.killAgent(index), short)
            case 7: (.restartAgent(index), short)
            case 8, 9: (.killLeader, short)
            case 10, 11: (.stopLeader, long)
            case 12: (.killMember(index), short)
            case 13: (.stopMember(index), long)
            case 14: (.stopMajority, long)
            default: (.tokenHolds(index), long)
            }
        return FleetNemesis(kind: kind, pause: pause, length: length)
    }

    private static func ways(_ generator: inout SeededGenerator) -> FleetNemesis {
        let index = Int.random(in: 0..<3, using: &generator)
        let pause = seconds(3...8, &generator)
        let some = Array([0, 1, 2].shuffled(using: &generator).prefix(Int.random(in: 1...3, using: &generator))).sorted()
        let behaviour = generator.pick([.cut, .silent, .losesAnswers, .delayed(400)] as [CuttableProxy.Behaviour])
        let lossy = generator.pick([.cut, .silent, .losesAnswers] as [CuttableProxy.Behaviour])
        let short = seconds(2...8, &generator)
        let long = long(&generator)
        // So that changes are made without the agent, and settle, before it hears of anything again.
        let waitedOut = seconds(Fleet.staleness + 6...Fleet.staleness + 16, &generator)
        let (kind, length): (Kind, Duration) =
            switch Int.random(in: 0..<14, using: &generator) {
            case 0..<3: (.storeWay(agent: index, members: some, behaviour), long)
            case 3..<7: (.storeWay(agent: index, members: [0, 1, 2], lossy), waitedOut)
            case 7..<9: (.agentWay(frontend: index, agents: some, behaviour), short)
            case 9: (.agentWay(frontend: index, agents: [0, 1, 2], behaviour), long)
            case 10..<13: (.clock(index, generator.pick([3_600, 3_600, -3_600])), long)
            default: (.tokenGone(index), short)
            }
        return FleetNemesis(kind: kind, pause: pause, length: length)
    }

    private static func intruders(_ generator: inout SeededGenerator) -> FleetNemesis {
        let pause = seconds(15...40, &generator)
        let forgery = generator.pick([.foreignKey, .oldRecord, .swappedRecord] as [Intruder.Forgery])
        let issuer = Int.random(in: 0..<4, using: &generator)
        return FleetNemesis(kind: .forge(forgery, issuer: issuer), pause: pause, length: seconds(2...14, &generator))
    }

    private static func alone(_ generator: inout SeededGenerator) -> FleetNemesis {
        let pause = seconds(3...8, &generator)
        let short = seconds(1...4, &generator)
        let behaviour = generator.pick([.cut, .silent, .delayed(400)] as [CuttableProxy.Behaviour])
        let (kind, length): (Kind, Duration) =
            switch Int.random(in: 0..<8, using: &generator) {
            case 0, 1: (.stopAgent(0), short)
            case 2, 3: (.killAgent(0), short)
            case 4: (.restartAgent(0), short)
            case 5: (.agentWay(frontend: 0, agents: [0], behaviour), short)
            case 6: (.tokenGone(0), short)
            default: (.tokenHolds(0), short)
            }
        return FleetNemesis(kind: kind, pause: pause, length: length)
    }
}

extension Fleet {
    /// Has it happen, and puts right what it did.
    func suffer(_ nemesis: FleetNemesis, _ history: History) async throws {
        try await Task.sleep(for: nemesis.pause)
        let started = MonotonicClock.nanoseconds()
        let targets = try await begin(nemesis.kind, history)
        // Cancelled or not, it is put right.
        try? await Task.sleep(for: nemesis.length)
        if !targets.isEmpty {
            history.add(started, MonotonicClock.nanoseconds(), .deed(Deed(nemesis.name, targets.map { $0.name })))
        }
        for target in targets { try await target.end() }
    }

    private struct Suffering {
        let name: String
        let end: @Sendable () async throws -> Void
    }

    private func begin(_ kind: FleetNemesis.Kind, _ history: History) async throws -> [Suffering] {
        switch kind {
        case .killAgent(let index):
            await agents[index].kill()
            return [Suffering(name: agents[index].name) { [agents] in try await agents[index].start() }]
        case .restartAgent(let index):
            await agents[index].terminate()
            return [Suffering(name: agents[index].name) { [agents] in try await agents[index].start() }]
        case .stopAgent(let index):
            try await agents[index].pause()
            return [Suffering(name: agents[index].name) { [agents] in agents[index].resume() }]
        case .killMember(let index): return await killMember(index)
        case .stopMember(let index): return try await stopMembers([index])
        case .killLeader: return await killMember(try await leaderOrAny())
        case .stopLeader: return try await stopMembers([try await leaderOrAny()])
        case .stopMajority: return try await stopMembers([0, 1])
        case .storeWay(let agent, let members, let behaviour):
            for member in members { storeWays[agent][member].set(behaviour) }
            return [
                Suffering(name: agents[agent].name) { [storeWays] in
                    for member in members { storeWays[agent][member].set(.open) }
                }
            ]
        case .agentWay(let frontend, let agents, let behaviour):
            for agent in agents { agentWays[frontend][agent].set(behaviour) }
            return [
                Suffering(name: frontends[frontend].name) { [agentWays] in
                    for agent in agents { agentWays[frontend][agent].set(.open) }
                }
            ]
        case .clock(let index, let seconds):
            try agents[index].clock.set(ahead: seconds)
            return [Suffering(name: agents[index].name) { [agents] in try agents[index].clock.set(ahead: 0) }]
        case .tokenGone(let index):
            try agents[index].module.set("* absent", "C_Sign return=CKR_DEVICE_REMOVED", "C_SignInit return=CKR_DEVICE_REMOVED")
            return [Suffering(name: agents[index].name) { [agents] in try agents[index].module.clear() }]
        case .tokenHolds(let index):
            try agents[index].module.set("C_Sign hold-after")
            return [Suffering(name: agents[index].name) { [agents] in try agents[index].module.clear() }]
        case .forge(let forgery, let index):
            let names = FleetClients.lasting
            let (name, other) = (names[index], names[(index + 1) % names.count])
            guard let putRight = try await Intruder(fleet: self, history: history).forge(forgery, of: name, beside: other) else {
                return []
            }
            return [Suffering(name: name, end: putRight)]
        }
    }

    private func leaderOrAny() async throws -> Int { try await etcd?.leader() ?? 0 }

    private func killMember(_ index: Int) async -> [Suffering] {
        await etcd?.kill(index)
        return [Suffering(name: "m\(index + 1)") { [etcd] in try etcd?.start(index) }]
    }

    private func stopMembers(_ indices: [Int]) async throws -> [Suffering] {
        for index in indices { try await etcd?.process(index)?.pause() }
        return indices.map { index in Suffering(name: "m\(index + 1)") { [etcd] in etcd?.process(index)?.resume() } }
    }
}
