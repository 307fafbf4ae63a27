import FleetHistory
import FleetSupport
import Foundation
import Platform
import SoftHSMSupport
import TestSupport

/// Etcd is put back to an earlier day under the agents, and an operator brings store and token together again.
extension Fleet {
    /// Puts etcd back by some seconds in which the load went on, looks on for longer than an agent signs unconfirmed, and does then what
    /// the operator's page says.
    func restoreAndRecover(_ history: History, restarting index: Int) async throws {
        guard let etcd else { return }
        try await heal()
        let file = "\(directory)/snapshot-\(MonotonicClock.nanoseconds()).db"
        try await etcd.saveSnapshot(to: file)
        try await Task.sleep(for: .seconds(12))
        let begin = MonotonicClock.nanoseconds()
        try await etcd.restoreSnapshot(from: file)
        log.begin()
        let restored = MonotonicClock.nanoseconds()
        history.add(begin, restored, .deed(Deed("restore snapshot", agents.map(\.name))))
        try? FileManager.default.removeItem(atPath: file)
        // One of them finds it at its start, the others while they run.
        await agents[index].terminate()
        try await agents[index].start()
        try await Task.sleep(for: .seconds(Fleet.staleness + 6))
        for agent in agents { await agent.terminate() }
        let stopped = MonotonicClock.nanoseconds()
        let issuers = try await recover(history)
        history.add(
            begin, MonotonicClock.nanoseconds(),
            .recovery(Recovery(issuers, doubtedFrom: restored + Int64(Fleet.staleness) * Nanoseconds.second, until: stopped)))
        for agent in agents { try await agent.start() }
        for frontend in frontends { try await frontend.accept() }
    }

    /// `recover --restored`, with the key of each issuer that signed last as the one that comes back.
    private func recover(_ history: History) async throws -> [Recovery.Issuer] {
        var (last, known): ([String: (Moment, String)], [String: Set<String>]) = ([:], [:])
        for event in history.events {
            switch event.what {
            case .signature(let it):
                if (last[it.issuer]?.0 ?? .min) < event.end { last[it.issuer] = (event.end, it.kid) }
            case .commit(let it): known[it.issuer, default: []].formUnion(it.keys.map(\.kid))
            case .ring(let it): known[it.issuer, default: []].formUnion(it.keys.map(\.kid))
            default: break
            }
        }
        var retained = last.mapValues(\.1)
        for _ in 0..<retained.count + 60 {
            try token.mendIfCutShort()
            let outcome = try await Programs.run(
                "privyseald",
                ["recover", "--restored", "--yes", "--config", agents[0].configuration]
                    + retained.values.sorted().flatMap { ["--retain", $0] })
            if outcome.status == 0 { return Self.recovered(outcome.output, retained, known) }
            // It is not on the token any more, or nothing of its issuer differs.
            guard let kid = retained.first(where: { outcome.errors.contains("the key \($0.value) cannot come back") })?.key else {
                // The snapshot has the leases of those that were there, which live for half a minute.
                if outcome.errors.contains("etcd at") || outcome.errors.contains("other agents use the store") {
                    try await Task.sleep(for: .seconds(2))
                    continue
                }
                throw CampaignError("recover --restored: \(outcome.errors)")
            }
            retained[kid] = nil
        }
        throw CampaignError("recover --restored takes no key")
    }

    /// Reads lines such as `done: issuer demo signs with KID`.
    private static func recovered(_ output: String, _ retained: [String: String], _ known: [String: Set<String>]) -> [Recovery
        .Issuer]
    {
        output.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ").map(String.init)
            guard words.count == 6, words[0] == "done:", words[1] == "issuer" else { return nil }
            let revoked = known[words[2], default: []].subtracting([retained[words[2]], words[5]].compactMap(\.self))
            return Recovery.Issuer(words[2], activeKid: words[5], revoked: revoked.sorted())
        }
    }
}
