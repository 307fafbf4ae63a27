import EtcdStore
import FleetHistory
import FleetSupport
import Foundation
import Platform

/// Follows every change of the store beside the agents, and writes down each state that an issuer has had.
final class StoreLog: Sendable {
    private struct State {
        /// Up to which everything has been read; 0 before the first reading, and after the store was put back.
        var revision: Int64 = 0
        /// When something was last read: what comes after that, happened after it.
        var readAt: Moment?
        /// What somebody has written beside the agents, by key: no commit of theirs.
        var forged: [String: Set<[UInt8]>] = [:]
        var gaps = 0
    }
    private let state = Locked(State())

    /// What may be compacted without anything being missed.
    var revision: Int64 { state.withLock { $0.revision } }
    /// How often revisions were gone before they were read.
    var gaps: Int { state.withLock { $0.gaps } }

    /// Leaves out what somebody is about to write.
    func noteForged(_ key: String, _ value: [UInt8]) { state.withLock { _ = $0.forged[key, default: []].insert(value) } }

    func isForged(_ value: EtcdKeyValue) -> Bool { state.withLock { $0.forged[value.name]?.contains(value.value) ?? false } }

    /// Reads everything anew: the store was put back.
    func begin() { state.withLock { $0.revision = 0 } }

    /// Until the task is cancelled.
    func follow(_ etcd: EtcdCluster, _ history: History) async {
        while !Task.isCancelled {
            try? await etcd.withGateway(watchIdle: .seconds(4)) { gateway in
                if revision == 0 {
                    let reading = try await gateway.read(.prefix(Fleet.prefix))
                    take(reading.values.map { ($0, false) }, history)
                    state.withLock { $0.revision = reading.revision }
                }
                do {
                    try await gateway.watch(.prefix(Fleet.prefix), from: revision + 1) { message in
                        self.take(message.events.map { ($0.value, $0.isDeletion) }, history)
                    }
                } catch let error as EtcdError where error.code == .compacted {
                    state.withLock { state in
                        state.gaps += 1
                        state.revision = 0
                    }
                }
            }
            try? await Task.sleep(for: .milliseconds(100))
        }
    }

    private struct IssuerRecord: Decodable {
        struct Key: Decodable {
            let kid: String
            let state: String
            let expiresAt: Int64?
        }
        let generation: Int
        let rings: [String: [Key]]
    }

    private func take(_ events: [(value: EtcdKeyValue, isDeletion: Bool)], _ history: History) {
        let now = MonotonicClock.nanoseconds()
        let before = state.withLock { $0.readAt ?? now }
        for event in events {
            // `/privyseal/1/<deployment>/issuers/<name>`
            let value = event.value
            let parts = value.name.split(separator: "/").map(String.init)
            guard parts.count == 5, parts[3] == "issuers", !isForged(value) else { continue }
            let record = event.isDeletion ? nil : try? JSONDecoder().decode(IssuerRecord.self, from: Data(value.value))
            guard event.isDeletion || record != nil else { continue }
            let keys = record?.rings.values.joined().map { Commit.Key(kid: $0.kid, state: $0.state, expiresAt: $0.expiresAt) }
            history.add(before, now, .commit(Commit(issuer: parts[4], generation: record?.generation, keys: keys ?? [])))
        }
        // A watch that has been opened again has told nothing yet of what happened before.
        guard !events.isEmpty else { return }
        state.withLock { state in
            state.readAt = now
            if state.revision > 0 { state.revision = max(state.revision, events.map(\.value.modified).max() ?? 0) }
        }
    }
}
