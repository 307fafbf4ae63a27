import Foundation
public import IssuerStore
public import KeyLifecycle
import Platform

/// What an agent says of itself, all under one lease.
extension EtcdIssuerStore {
    /// Seconds; three times what `renew` is called after.
    static let leaseTime = 30

    public func renew(clock: Int64) async throws(StoreError) {
        try await Self.uncancelled { () async throws(StoreError) in
            let member = try self.joined()
            try await self.keepLease()
            let record = PresenceRecord(
                incarnation: member.incarnation, release: member.release, staleness: member.staleness, clock: clock)
            try await self.say(self.layout.agent(member.id), record)
            try await self.endDismissals()
            try await self.memory.flush()
        }
    }

    public func report(_ report: MemberReport) async throws(StoreError) {
        try await Self.uncancelled { () async throws(StoreError) in
            let member = try self.joined()
            let place = self.layout.view(member.id)
            do throws(StoreError) {
                try await self.say(place, ReportRecord(report, incarnation: member.incarnation))
            } catch {
                guard error.code == .tooLarge else { throw error }
                try await self.say(place, ReportRecord(report, incarnation: member.incarnation, isBrief: true))
            }
        }
    }

    public func claimStandby(of issuer: IssuerName) async throws(StoreError) -> Bool {
        try requireWritable()
        let place = layout.claim(issuer)
        return try await Self.uncancelled { () async throws(StoreError) in
            var known: Int64 = 0
            for _ in 0..<16 {
                var change = StoreChange(id: SystemRandom.hexadecimal(bytes: 16))
                try change.put(place, ClaimRecord(by: self.by))
                let (compared, bytes) = (known, change.written[place] ?? [])
                let outcome = try await self.underLease { lease in
                    EtcdTransaction(
                        comparing: [.modified(place, compared)], success: [.put(place, bytes, lease: lease)],
                        failure: [.get(.key(place))])
                }
                guard !outcome.succeeded else { return true }
                guard let found = outcome.found.first?.values.first else {
                    known = 0
                    continue
                }
                let record = try? ClaimRecord.decoded(found)
                if record?.by == self.by { return true }
                // One that hangs on no lease would stay for ever, and no agent makes such.
                guard record == nil || found.lease == 0 else { return false }
                known = found.modified
            }
            return false
        }
    }

    public func releaseStandby(of issuer: IssuerName) async throws(StoreError) {
        try requireWritable()
        let place = layout.claim(issuer)
        try await Self.uncancelled { () async throws(StoreError) in
            try await Self.asking { () async throws(EtcdError) in
                guard let found = try await self.gateway.read(.key(place)).values.first,
                    (try? ClaimRecord.decoded(found))?.by == self.by
                else { return }
                _ = try await self.gateway.carryOut(
                    EtcdTransaction(comparing: [.modified(place, found.modified)], success: [.delete(.key(place))]))
            }
        }
    }

    func joined() throws(StoreError) -> FleetMember {
        guard let member = presence.withLock({ $0.member }) else {
            throw StoreError(.unavailable, "the agent \(by.agent) has not joined the fleet", hint: "have it join first")
        }
        return member
    }

    /// Puts what this agent says of itself, as long as it is a member.
    ///
    /// An older word that arrives late is refused, since each compares the revision of the one before.
    ///
    /// - Parameter isKept: whether it stays when the agent's lease ends.
    func say(_ key: String, _ record: some StoreRecord, kept isKept: Bool = false) async throws(StoreError) {
        for _ in 0..<16 {
            let member = try joined()
            let place = layout.member(member.id)
            let (memberRevision, revision) = presence.withLock { ($0.memberRevision, $0.revisions[key] ?? 0) }
            var change = StoreChange(id: SystemRandom.hexadecimal(bytes: 16))
            try change.put(key, record)
            let bytes = change.written[key] ?? []
            let transaction: @Sendable (Int64?) -> EtcdTransaction = { lease in
                EtcdTransaction(
                    comparing: [.modified(place, memberRevision), .modified(key, revision)],
                    success: [.put(key, bytes, lease: lease)], failure: [.get(.key(place)), .get(.key(key))])
            }
            let outcome =
                isKept
                ? try await Self.asking { () async throws(EtcdError) in try await gateway.carryOut(transaction(nil)) }
                : try await underLease(transaction)
            if outcome.succeeded { return presence.withLock { $0.revisions[key] = outcome.revision } }
            let found = outcome.found.last?.values.first
            presence.withLock { $0.revisions[key] = found?.modified ?? 0 }
            // Sent more than once, it may have lost against itself.
            if let found, change.hasWritten(found) { return }
            _ = try await confirmMembership(outcome.found.first?.values.first)
        }
        throw StoreError.conflict("\(key) in etcd is changed by others all the time")
    }

    /// Carries out a transaction that puts under this agent's lease, which is taken anew when it is gone.
    private func underLease(
        _ transaction: @Sendable (Int64) -> EtcdTransaction
    ) async throws(StoreError) -> EtcdOutcome {
        for _ in 0..<2 {
            let lease = try await lease()
            do throws(EtcdError) {
                return try await gateway.carryOut(transaction(lease))
            } catch {
                guard error.code == .leaseGone else { throw StoreError(error) }
                forget(lease)
            }
        }
        throw StoreError(
            .unavailable, "etcd gives leases and does not know them", hint: "see that the members agree: etcdctl endpoint status")
    }

    private func lease() async throws(StoreError) -> Int64 {
        if let lease = presence.withLock({ $0.lease }) { return lease }
        let lease = try await Self.asking { () async throws(EtcdError) in
            try await gateway.grantLease(seconds: Self.leaseTime)
        }
        // Another call may have taken one meanwhile; what hangs on this one then ends with it.
        return presence.withLock { presence in
            presence.lease = presence.lease ?? lease
            return presence.lease ?? lease
        }
    }

    private func keepLease() async throws(StoreError) {
        guard let lease = presence.withLock({ $0.lease }) else { return }
        do throws(EtcdError) {
            try await gateway.keepLeaseAlive(lease)
        } catch {
            guard error.code == .leaseGone else { throw StoreError(error) }
            forget(lease)
        }
    }

    private func forget(_ lease: Int64) {
        presence.withLock { presence in
            guard presence.lease == lease else { return }
            presence.lease = nil
            presence.revisions = [:]
        }
    }
}
