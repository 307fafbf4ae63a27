import Foundation
public import IssuerStore
public import KeyLifecycle

/// Turns changes of issuers into what is to be compared and written, and refuses what the store must not take.
struct IssuerPlan: Sendable {
    let layout: StoreLayout
    let by: ActorRecord

    /// What has to be read for a change.
    func keys(for change: IssuerChange, _ fulfilling: [KeyID]) -> [String] {
        let entering = Set(fulfilling + [change.retained].compactMap(\.self))
        let kids = change.issuer?.ring.keys.filter { entering.contains($0.keyID) }.map { layout.kid($0.kid) } ?? []
        return [layout.issuer(change.name), layout.former(change.name)] + kids + fulfilling.map(layout.intent)
            + [change.retained].compactMap { $0.map(layout.keyID) } + change.destroyed.map { layout.destruction($0.keyID) }
            + change.quarantined.map { layout.quarantined($0.keyID) }
    }

    /// And under which prefixes.
    func prefixes(for change: IssuerChange) -> [String] { [layout.ended(change.name)] }

    /// Adds the change of an issuer to a transaction.
    ///
    /// - Throws: `StoreError` with `.conflict` where the contract says so.
    func add(
        _ change: IssuerChange, fulfilling: [KeyID], _ snapshot: StoreSnapshot, to transaction: inout StoreChange
    ) throws(StoreError) {
        let stored = try swap(change, snapshot, &transaction)
        let difference = try KeyRingDifference(change, stored: stored?.issuer.ring.keys ?? [])
        let wanted = Set(difference.added.map(\.key.keyID)).subtracting([change.retained].compactMap(\.self))
        guard wanted == Set(fulfilling) else {
            throw .conflict("the new keys of the issuer \(change.name) are not those whose intents are fulfilled")
        }
        for keyID in Set(fulfilling) { try fulfil(keyID, change, snapshot, &transaction) }
        for (position, key) in difference.added { try add(key, position, change, snapshot, &transaction) }
        for (order, key) in change.destroyed.enumerated() {
            guard !snapshot.exists(layout.destruction(key.keyID)) else {
                throw .conflict("the key \(key.keyID) is to be destroyed already")
            }
            try destroy(
                key.keyID, key.publicKey, order: order, issuer: change.name, at: change.at, snapshot, &transaction)
        }
        for (order, key) in change.quarantined.enumerated() {
            let place = layout.quarantined(key.keyID)
            guard !snapshot.exists(place), transaction.written[place] == nil else {
                throw .conflict("the key \(key.keyID) is in quarantine already")
            }
            transaction.compare(place, in: snapshot)
            try transaction.put(place, QuarantinedRecord(key, order: order, by: by))
            try transaction.put(
                layout.keyID(key.keyID), KeyIDRecord(.quarantined, issuer: key.issuer.text, at: key.since.seconds))
        }
        if let issuer = change.issuer {
            let committedAt = max(change.at.seconds, stored?.record.committedAt ?? 0)
            let ended = issuer.ring.keys.enumerated().filter { !$0.element.state.isPublished }
            try transaction.put(
                layout.issuer(change.name), change.name, IssuerRecord(issuer, committedAt: committedAt),
                ended: ended.map { KeyRecord($0.element, position: $0.offset) })
            try putEnded(issuer, stored?.issuer, &transaction)
        } else {
            let committedAt = max(change.at.seconds, stored?.record.committedAt ?? 0)
            transaction.delete(layout.issuer(change.name))
            transaction.delete(prefix: layout.ended(change.name))
            try transaction.put(
                layout.former(change.name),
                FormerRecord(generation: change.expectedGeneration ?? 0, deletedAt: committedAt))
        }
    }

    /// The compare-and-swap; returns what is there.
    private func swap(
        _ change: IssuerChange, _ snapshot: StoreSnapshot, _ transaction: inout StoreChange
    ) throws(StoreError) -> (issuer: Issuer, record: IssuerRecord)? {
        let place = layout.issuer(change.name)
        guard transaction.compared[place] == nil else {
            throw .conflict("the issuer \(change.name) is changed twice at once")
        }
        transaction.compare(place, in: snapshot)
        let record: IssuerRecord? = try snapshot.record(place)
        guard let record else {
            guard change.expectedGeneration == nil, let issuer = change.issuer else {
                throw .conflict("there is no issuer \(change.name) any more")
            }
            transaction.compare(layout.former(change.name), in: snapshot)
            let former: FormerRecord? = try snapshot.record(layout.former(change.name))
            guard issuer.generation > former?.generation ?? 0 else {
                throw .conflict(
                    "an issuer \(change.name) was at generation \(former?.generation ?? 0) before it was deleted")
            }
            return nil
        }
        guard let expected = change.expectedGeneration else {
            throw .conflict("there is an issuer \(change.name) already")
        }
        guard record.generation == expected else {
            throw .conflict(
                "the issuer \(change.name) has been changed by somebody else: it is at generation \(record.generation)")
        }
        var ended: [KeyRecord] = []
        for value in snapshot.under(layout.ended(change.name)) { ended.append(try EndedKeyRecord.decoded(value).key) }
        return (try record.issuer(change.name, ended: ended), record)
    }

    private func fulfil(
        _ keyID: KeyID, _ change: IssuerChange, _ snapshot: StoreSnapshot, _ transaction: inout StoreChange
    ) throws(StoreError) {
        let record: IntentRecord? = try snapshot.record(layout.intent(keyID))
        guard let record, !record.tombstone, record.issuer == change.name.text else {
            throw .conflict("there is no open intent for the key \(keyID) of the issuer \(change.name)")
        }
        transaction.compare(layout.intent(keyID), in: snapshot)
        transaction.delete(layout.intent(keyID))
    }

    private func add(
        _ key: SigningKey, _ position: Int, _ change: IssuerChange, _ snapshot: StoreSnapshot, _ transaction: inout StoreChange
    ) throws(StoreError) {
        let place = layout.kid(key.kid)
        let known: KidRecord? = try snapshot.record(place)
        guard known == nil || known?.keyID == "\(key.keyID)", transaction.written[place] == nil else {
            throw .conflict("the key \(key.kid) is in a ring already")
        }
        transaction.compare(place, in: snapshot)
        try transaction.put(place, KidRecord(keyID: "\(key.keyID)", issuer: change.name.text))
        if change.retained == key.keyID {
            guard !snapshot.exists(layout.keyID(key.keyID)) else {
                throw .conflict("the CKA_ID \(key.keyID) has been used before")
            }
            transaction.compare(layout.keyID(key.keyID), in: snapshot)
        }
        try transaction.put(layout.keyID(key.keyID), KeyIDRecord(.key, issuer: change.name.text, at: change.at.seconds))
    }

    /// The ended keys that are different from what is there.
    private func putEnded(_ issuer: Issuer, _ before: Issuer?, _ transaction: inout StoreChange) throws(StoreError) {
        let known = before?.ring.keys ?? []
        for (position, key) in issuer.ring.keys.enumerated() where !key.state.isPublished {
            guard position >= known.count || known[position] != key else { continue }
            try transaction.put(
                layout.ended(issuer.name, key.kid), EndedKeyRecord(key: KeyRecord(key, position: position)))
        }
    }

    /// Notes that a key has to go from the token.
    func destroy(
        _ keyID: KeyID, _ publicKey: [UInt8]?, order: Int = 0, issuer: IssuerName, at moment: Timestamp,
        _ snapshot: StoreSnapshot, _ transaction: inout StoreChange
    ) throws(StoreError) {
        transaction.compare(layout.destruction(keyID), in: snapshot)
        try transaction.put(
            layout.destruction(keyID),
            DestructionRecord(
                by: by, order: order, issuer: issuer.text, requestedAt: moment.seconds, publicKey: publicKey.map { Data($0) },
                stray: false))
        try transaction.put(layout.keyID(keyID), KeyIDRecord(.destruction, issuer: issuer.text, at: moment.seconds))
    }
}

extension EtcdIssuerStore {
    var plan: IssuerPlan { IssuerPlan(layout: layout, by: by) }

    @discardableResult
    public func commit(_ change: IssuerChange, fulfilling: [KeyID]) async throws(StoreError) -> Int64? {
        let plan = plan
        return try await changing(reading: plan.keys(for: change, fulfilling), under: plan.prefixes(for: change)) {
            (snapshot, transaction) throws(StoreError) in
            try plan.add(change, fulfilling: fulfilling, snapshot, to: &transaction)
            return true
        }
    }
}
