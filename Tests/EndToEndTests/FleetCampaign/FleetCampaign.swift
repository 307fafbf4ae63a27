import AgentClient
import AgentProtocol
import FleetHistory
import FleetSupport
import Foundation
import Platform
import SoftHSMSupport
import TestSupport

/// A fleet under load to which bad things happen, and what is found in its history afterwards.
///
/// What happens when follows from the seed; what comes of it does not.
struct FleetCampaign {
    struct Outcome {
        var report = CheckReport()
        var tally: [String: Int] = [:]
        var remarks: [String] = []
        /// Whether the audit logs of a fleet fit together.
        var isAuditIntact = true

        /// How often something was done to the fleet.
        var things: Int { tally.filter { $0.key.hasPrefix("happened: ") }.values.reduce(0, +) }

        /// All of it, for people.
        var lines: [String] {
            func table(_ counts: [String: Int]) -> [String] {
                counts.sorted { $0.key < $1.key }.map { "  \($0.value)\t\($0.key)" }
            }
            return table(tally) + ["looked at:"] + table(report.looked) + ["not counted as violations:"] + table(report.excused)
                + remarks.map { "note: \($0)" } + violations
        }

        /// The first ones of each kind: a cause that shows a thousand times must not hide another.
        private var violations: [String] {
            var told: [Violation.Kind: Int] = [:]
            let first = report.violations.filter { violation in
                told[violation.kind, default: 0] += 1
                return told[violation.kind, default: 0] <= 10
            }
            return first.map { "violation: \($0)" }
                + told.sorted { $0.key.rawValue < $1.key.rawValue }.map { "found \($0.value) times: \($0.key.rawValue)" }
        }
    }

    let seed: UInt64
    let seconds: Int
    /// Three agents over etcd, or one over SQLite.
    let isShared: Bool
    /// Seconds after which etcd is put back to an earlier day.
    var round = 480
    /// Those that it takes until all is well again.
    private static let restoration = 120
    /// Where the history is written to, and beside it the agents' logs.
    var historyPath: String?
    let report: @Sendable (String) -> Void

    func run() async throws -> Outcome {
        try await SoftHSMToken.with { token in
            let fleet = try await Fleet.make(isShared: isShared, token)
            do {
                let outcome = try await run(fleet)
                await fleet.end()
                return outcome
            } catch {
                for agent in fleet.agents { report("the end of \(agent.name)'s log: \(agent.text.suffix(1_500))") }
                await fleet.end()
                throw error
            }
        }
    }

    private func run(_ fleet: Fleet) async throws -> Outcome {
        try await fleet.start()
        let wall = WallClock.now()
        let offset = wall.seconds * Nanoseconds.second + Int64(wall.nanoseconds) - MonotonicClock.nanoseconds()
        let history = History(wallOffset: offset)
        let clients = FleetClients(fleet: fleet, history: history)
        let isReady = await poll("an agent that makes issuers") {
            try await clients.prepare()
            return true
        }
        guard isReady else { throw CampaignError("no issuer can be made") }
        var generator = SeededGenerator(seed: seed)
        var fork = generator.fork()
        let lags = Lags(history)
        let load = Task { await clients.run(&fork) }
        let watching = Task { await lags.measure() }
        let compacting = Task { await compact(fleet) }
        let logging = Task { if let etcd = fleet.etcd { await fleet.log.follow(etcd, history) } }
        let looking = Task { await look(at: fleet, history) }
        let progress = Task { await tell(history) }
        let tasks = [load, watching, compacting, logging, looking, progress]
        let end = MonotonicClock.nanoseconds() + Int64(seconds) * Nanoseconds.second
        while true {
            let left = Int((end - MonotonicClock.nanoseconds()) / Nanoseconds.second)
            guard left > 0 else { break }
            try await round(fleet, history, seconds: min(left, round), &generator)
            guard Int((end - MonotonicClock.nanoseconds()) / Nanoseconds.second) > Self.restoration, fleet.etcd != nil,
                EtcdCluster.hasClient
            else { continue }
            do {
                try await fleet.restoreAndRecover(history, restarting: Int.random(in: 0..<3, using: &generator))
            } catch {
                failed("restore snapshot", error, history)
                break
            }
        }
        try await fleet.heal()
        try await Task.sleep(for: .seconds(Fleet.staleness))
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
        var outcome = Outcome()
        try await settle(fleet, clients, history, &outcome)
        if let historyPath {
            try history.write(to: historyPath)
            for agent in fleet.agents {
                try Data(agent.text.utf8).write(to: URL(fileURLWithPath: "\(historyPath).\(agent.name).log"))
                let audit = "\(historyPath).\(agent.name).audit.log"
                try? FileManager.default.removeItem(atPath: audit)
                try FileManager.default.copyItem(atPath: agent.auditLog, toPath: audit)
            }
        }
        if isShared { try await verifyAudit(fleet, &outcome) }
        return await judge(fleet, history, lags, outcome)
    }

    private func failed(_ name: String, _ error: any Error, _ history: History) {
        let now = MonotonicClock.nanoseconds()
        history.add(now, now, .deed(Deed("failed: \(name): \(error)", [])))
    }

    /// Has things happen for so many seconds, row beside row.
    private func round(_ fleet: Fleet, _ history: History, seconds: Int, _ generator: inout SeededGenerator) async throws {
        let started = MonotonicClock.nanoseconds()
        let rows = FleetNemesis.schedule(seed: generator.next(), seconds: seconds, isShared: isShared)
        report("\(rows.joined().count) things will happen in \(seconds) s")
        await withTaskGroup(of: Void.self) { group in
            for row in rows {
                group.addTask {
                    for nemesis in row {
                        do {
                            try await fleet.suffer(nemesis, history)
                        } catch {
                            failed(nemesis.name, error, history)
                        }
                    }
                }
            }
        }
        // Rows may end early: the load goes on until the time is over.
        let left = Int64(seconds) * Nanoseconds.second - (MonotonicClock.nanoseconds() - started)
        if left > 0 { try await Task.sleep(for: .nanoseconds(left)) }
    }

    private func judge(_ fleet: Fleet, _ history: History, _ lags: Lags, _ soFar: Outcome) async -> Outcome {
        var outcome = soFar
        if fleet.log.gaps > 0 { outcome.remarks.append("commits were lost to the store's log \(fleet.log.gaps) times") }
        outcome.remarks.append("this machine kept tasks waiting for \(lags.longest / 1_000_000) ms at most")
        (outcome.report, outcome.tally) = await Self.judge(history)
        return outcome
    }

    /// What is found in a history.
    static func judge(_ history: History) async -> (CheckReport, tally: [String: Int]) {
        var limits = FleetChecker.Limits()
        limits.staleAfter = Int64(Fleet.staleAfter) * Nanoseconds.second
        return (await FleetChecker(history, limits: limits).check(), tally(history))
    }

    /// Waits until nothing is under way any more, and looks at everything once.
    private func settle(
        _ fleet: Fleet, _ clients: FleetClients, _ history: History, _ outcome: inout Outcome
    ) async throws {
        var last: Inventory?
        let isSettled = await poll("a settled fleet") {
            let before = last
            let found = try await fleet.inventory(isSettled: true)
            last = found
            // A standby key that is still to be made shows nowhere: it has to stay as it is for a while.
            if before != found { try await Task.sleep(for: .seconds(3)) }
            return before == found && found.pending.isEmpty && found.privateKeys == Set(found.live.map(\.keyID))
        }
        let found = try last ?? { throw CampaignError("token and store cannot be read") }()
        if !isSettled { outcome.remarks.append("\(found.pending.count) keys were still to be made or destroyed at the end") }
        let moment = MonotonicClock.nanoseconds()
        history.add(moment, moment, .inventory(found))
        for agent in fleet.agents {
            guard let client = try? await AgentConnection.connect(socketPath: agent.socket) else {
                outcome.remarks.append("\(agent.name) does not answer at the end: \(agent.text.suffix(500))")
                continue
            }
            for (name, _) in clients.issuers.all { try? await clients.look(at: name, agent, client) }
            if let health = try? await client.call(HealthParameters()), health.status != "ok" {
                outcome.remarks.append(
                    "\(agent.name) is \(health.status): \(health.problems.map(\.message).joined(separator: "; "))")
            }
            await client.close()
        }
        for frontend in fleet.frontends {
            for (name, path) in clients.issuers.all { await clients.fetch(name, path, frontend) }
        }
    }

    /// Holds the audit logs of all agents against each other, as an auditor would.
    private func verifyAudit(_ fleet: Fleet, _ outcome: inout Outcome) async throws {
        let key = try await Programs.run("privyseald", ["audit", "key", "--config", fleet.agents[0].configuration])
        guard key.status == 0 else { throw CampaignError("audit key: \(key.errors)") }
        let pem = fleet.directory + "/audit.pem"
        try key.output.write(toFile: pem, atomically: true, encoding: .utf8)
        let logs = fleet.agents.map(\.auditLog)
        let verified = try await Programs.run("privyseald", ["audit", "verify"] + logs + ["--public-key", pem])
        let lines = (verified.output + verified.errors).split(separator: "\n")
        outcome.remarks += lines.prefix(30).map { "audit verify: \($0)" }
        outcome.isAuditIntact = verified.status != 1
    }

    private func compact(_ fleet: Fleet) async {
        while !Task.isCancelled, let etcd = fleet.etcd {
            // What the log has not read yet stays.
            if fleet.log.revision > 0 { try? await etcd.compact(upTo: fleet.log.revision) }
            try? await Task.sleep(for: .seconds(1))
        }
    }

    /// Puts token and store side by side again and again.
    private func look(at fleet: Fleet, _ history: History) async {
        while !Task.isCancelled, fleet.etcd != nil {
            let begin = MonotonicClock.nanoseconds()
            if let inventory = try? await fleet.inventoryInPassing() {
                history.add(begin, MonotonicClock.nanoseconds(), .inventory(inventory))
            }
            try? await Task.sleep(for: .seconds(3))
        }
    }

    private func tell(_ history: History) async {
        let began = MonotonicClock.nanoseconds()
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(30))
            guard !Task.isCancelled else { return }
            let tally = Self.tally(history)
            report(
                "\((MonotonicClock.nanoseconds() - began) / Nanoseconds.second) s: \(tally["signatures", default: 0]) signatures, \(tally["changes", default: 0]) changes, \(tally["documents", default: 0]) documents"
            )
        }
    }

    /// What happened how often.
    static func tally(_ history: History) -> [String: Int] {
        var tally: [String: Int] = [:]
        var conditions: [String: [(begin: Moment, end: Moment)]] = [:]
        func count(_ name: String) { tally[name, default: 0] += 1 }
        for event in history.events {
            switch event.what {
            case .signature(let it):
                count("signatures")
                count("signatures by \(it.agent)")
            case .refusal(let it): count("refused: \(it.method), \(it.reason)")
            case .change(let it):
                if it.kind == .rotate, let generation = it.ifGeneration {
                    conditions["\(it.issuer) \(generation)", default: []].append((event.begin, event.end))
                }
                switch it.outcome {
                case .done(let reply):
                    count("changes")
                    count("\(it.kind.rawValue): done")
                    if let settlement = reply.settlement { count(settlement.settled ? "settled" : "not settled") }
                    for agent in reply.settlement?.agents ?? [] { count("agents that were \(agent.outcome)") }
                    if let publication = reply.publication { count("fresh keys \(publication)") }
                case .refused(let reason): count("\(it.kind.rawValue): \(reason)")
                case .unknown(let reason): count("\(it.kind.rawValue): undecided, \(reason)")
                }
            case .document(let it):
                count("documents")
                if !it.isFresh { count("documents of a stale frontend") }
            case .deed(let it): count("happened: \(it.name)")
            case .ring: count("rings")
            case .keySet: count("key sets")
            case .commit: count("commits")
            case .recovery: count("recoveries")
            case .foreignKey: count("foreign keys")
            case .inventory, .lag: break
            }
        }
        tally["rotations of one issuer at once"] = conditions.values.count { asked in
            asked.indices.contains { one in
                asked.indices.contains { $0 != one && asked[$0].begin < asked[one].end && asked[one].begin < asked[$0].end }
            }
        }
        return tally
    }
}

/// For how long this process kept somebody waiting who should have been next.
final class Lags: Sendable {
    private let history: History
    private let worst = Locked<Int64>(0)

    init(_ history: History) { self.history = history }

    var longest: Int64 { worst.withLock { $0 } }

    func measure() async {
        while !Task.isCancelled {
            let before = MonotonicClock.nanoseconds()
            try? await Task.sleep(for: .milliseconds(50))
            let (due, now) = (before + 50_000_000, MonotonicClock.nanoseconds())
            let lag = now - due
            if lag > 50_000_000 { history.add(due, now, .lag) }
            worst.withLock { $0 = max($0, lag) }
        }
    }
}
