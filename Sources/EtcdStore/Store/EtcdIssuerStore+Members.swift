import Foundation
public import IssuerStore
import KeyLifecycle
import Platform

/// Who may sign, and who is waited for.
///
/// A member is taken away in two steps, since it may be about to come back. A mark is put on it, in a commit, so that `head` is
/// another one and nothing confirms what the member had: it has to read a view, and takes the mark away before that counts. One whose
/// mark is still there when the longest that it may sign is over signs nothing, and goes.
extension EtcdIssuerStore {
    public func join(_ member: FleetMember) async throws(StoreError) {
        guard member.id == by.agent, member.incarnation == by.incarnation else {
            throw StoreError(
                .unavailable, "the agent \(member.id) is to join a fleet with the store of \(by.agent)",
                hint: "open the store for the agent that joins")
        }
        let (layout, keeper) = (layout, await memory.content.keeper ?? "")
        let (place, there) = (layout.member(member.id), layout.agent(member.id))
        let revision = try await changing(reading: [place, there]) { (snapshot, change) throws(StoreError) in
            let former: MemberRecord? = try snapshot.record(place)
            change.compare(place, in: snapshot)
            change.compare(there, in: snapshot)
            change.movesHead = false
            if var former, former.incarnation != member.incarnation {
                if former.keeper != keeper {
                    guard !snapshot.exists(there) else { throw .occupied(member.id, former.host) }
                    former.leaving = true
                    try change.put(layout.former(member.id, former.incarnation), former)
                }
                // So that the former one, if it still is, has to read a view, and finds this one.
                change.movesHead = true
            }
            change.delete(there)
            change.delete(layout.view(member.id))
            try change.put(place, MemberRecord(member, keeper: keeper))
            return true
        }
        presence.withLock { presence in
            presence = Presence(member: member, memberRevision: revision ?? 0)
        }
    }

    public func leave() async throws(StoreError) {
        guard let member = presence.withLock({ $0.member }) else { return }
        let layout = layout
        let place = layout.member(member.id)
        try await changing(reading: [place]) { (snapshot, change) throws(StoreError) in
            let record: MemberRecord? = try snapshot.record(place)
            guard record?.incarnation == member.incarnation else { return false }
            change.movesHead = false
            change.compare(place, in: snapshot)
            for key in [place, layout.agent(member.id), layout.view(member.id)] { change.delete(key) }
            return true
        }
        let lease = presence.withLock { presence in
            defer { presence = Presence() }
            return presence.lease
        }
        // Claims end with it; if this fails they end in half a minute.
        if let lease { try? await gateway.revokeLease(lease) }
        try await memory.flush()
    }

    public func fleet() async throws(StoreError) -> FleetReading {
        let layout = layout
        let snapshot = try await Self.uncancelled { () async throws(StoreError) in
            try await self.snapshot([], under: [layout.members, layout.agents, layout.views])
        }
        var entries: [FleetReading.Entry] = []
        var marked: [String: (mark: Int64, staleness: Int)] = [:]
        for value in snapshot.under(layout.members) {
            let record = try MemberRecord.decoded(value)
            let name = String(value.name.dropFirst(layout.members.count))
            let id = String(name.prefix { $0 != "/" })
            // What an agent says of itself and cannot be read is as if it said nothing.
            let there = snapshot.values[layout.agent(name)].flatMap { value in
                (try? PresenceRecord.decoded(value)).map { (record: $0, revision: value.modified) }
            }
            let view = snapshot.values[layout.view(name)].flatMap { try? ReportRecord.decoded($0) }
            let isThere = there?.record.incarnation == record.incarnation
            entries.append(
                FleetReading.Entry(
                    member: record.member(id), clock: isThere ? there?.record.clock : nil,
                    clockRevision: isThere ? there?.revision ?? 0 : 0,
                    report: view?.incarnation == record.incarnation ? view?.report : nil))
            if record.leaving == true { marked[value.name] = (value.modified, record.staleness) }
        }
        presence.withLock { [marked, clock = gateway.clock] in $0.note(marked, at: clock()) }
        return FleetReading(entries: entries, revision: snapshot.revision, sentAt: snapshot.sentAt)
    }

    public func dismiss(_ member: FleetMember) async throws(StoreError) {
        let layout = layout
        let (place, former) = (layout.member(member.id), layout.former(member.id, member.incarnation))
        let there = layout.agent(member.id)
        try await changing(reading: [place, former, there]) { (snapshot, change) throws(StoreError) in
            for key in [place, former] {
                guard var record: MemberRecord = try snapshot.record(key), record.incarnation == member.incarnation,
                    record.leaving != true
                else { continue }
                guard key == former || !snapshot.exists(there) else { return false }
                record.leaving = true
                change.compare(key, in: snapshot)
                change.compare(there, in: snapshot)
                try change.put(key, record)
                return true
            }
            return false
        }
    }

    /// Takes away those whose mark has been there for as long as they may sign, by what `fleet` has shown.
    public func endDismissals() async throws(StoreError) {
        let now = gateway.clock()
        for (key, mark) in presence.withLock({ $0.due(at: now) }) {
            let transaction = EtcdTransaction(comparing: [.modified(key, mark)], success: [.delete(.key(key))])
            _ = try await Self.asking { () async throws(EtcdError) in try await gateway.carryOut(transaction) }
            presence.withLock { $0.leaving[key] = nil }
        }
    }

    /// Sees to it that an agent that joined is a member that is waited for.
    ///
    /// - Parameter found: its entry as it was read.
    /// - Returns: whether it had none, so that nobody has waited for it up to now.
    /// - Throws: `StoreError` with `.occupied` when another has its id.
    func confirmMembership(_ found: EtcdKeyValue?) async throws(StoreError) -> Bool {
        guard let member = presence.withLock({ $0.member }) else { return false }
        let place = layout.member(member.id)
        var (found, wasAway) = (found, false)
        for _ in 0..<16 {
            if let found {
                let record = try MemberRecord.decoded(found)
                guard record.incarnation == member.incarnation else { throw .occupied(member.id, record.host) }
                guard record.leaving == true else {
                    presence.withLock { [found] in $0.memberRevision = found.modified }
                    return wasAway
                }
            } else {
                wasAway = true
            }
            var change = StoreChange(id: SystemRandom.hexadecimal(bytes: 16))
            try change.put(place, MemberRecord(member, keeper: await memory.content.keeper ?? ""))
            let transaction = EtcdTransaction(
                comparing: [.modified(place, found?.modified ?? 0)], success: [.put(place, change.written[place] ?? [])])
            if let revision = try await Self.carryOut(change, transaction, gateway) {
                presence.withLock { $0.memberRevision = revision }
                return wasAway
            }
            found = try await Self.asking { () async throws(EtcdError) in
                try await gateway.read(.key(place)).values.first
            }
        }
        throw StoreError.conflict("the entry of the agent \(member.id) in etcd is changed by others all the time")
    }
}

extension StoreError {
    static func occupied(_ id: String, _ host: String) -> StoreError {
        StoreError(
            .occupied, "another agent has the id \(id) in the fleet: one on \(host)",
            hint: "give each agent an id of its own (store.agent), and each a memory of its own")
    }
}
