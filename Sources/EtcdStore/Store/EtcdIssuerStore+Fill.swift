import Foundation
import IssuerStore
import KeyLifecycle

/// What a store is to hold, record by record.
struct WantedRecords {
    /// By key. What stands in an order of arrival is not among them.
    private(set) var records: [String: any StoreRecord] = [:]

    init(_ export: StoreExport, _ layout: StoreLayout) {
        let moment = export.lastChange?.seconds ?? 0
        for issuer in export.issuers { add(issuer, committedAt: moment, layout) }
        for (name, generation) in export.formerGenerations {
            records[layout.former(name)] = FormerRecord(generation: generation, deletedAt: moment)
        }
        for intent in export.intents {
            records[layout.keyID(intent.keyID)] = KeyIDRecord(
                .intent, issuer: intent.issuer.text, at: intent.recordedAt.seconds)
        }
        for destruction in export.destructions {
            records[layout.keyID(destruction.keyID)] = KeyIDRecord(
                .destruction, issuer: destruction.issuer.text, at: destruction.requestedAt.seconds)
        }
        for key in export.quarantined {
            records[layout.keyID(key.keyID)] = KeyIDRecord(.quarantined, issuer: key.issuer.text, at: key.since.seconds)
        }
        for (id, key) in export.gone {
            records[layout.keyID(id)] = KeyIDRecord(key.isLost ? .lost : .destroyed, issuer: key.issuer, at: key.at.seconds)
        }
        for start in export.agents { records[layout.start(start)] = MarkRecord() }
        if let token = export.token { records[layout.token] = TokenRecord(label: token.label, serial: token.serial) }
    }

    private mutating func add(_ issuer: Issuer, committedAt: Int64, _ layout: StoreLayout) {
        records[layout.issuer(issuer.name)] = IssuerRecord(issuer, committedAt: committedAt)
        for (position, key) in issuer.ring.keys.enumerated() {
            records[layout.kid(key.kid)] = KidRecord(keyID: "\(key.keyID)", issuer: issuer.name.text)
            records[layout.keyID(key.keyID)] = KeyIDRecord(.key, issuer: issuer.name.text, at: key.publishedAt.seconds)
            guard !key.state.isPublished else { continue }
            records[layout.ended(issuer.name, key.kid)] = EndedKeyRecord(key: KeyRecord(key, position: position))
        }
    }
}

extension StoreRecord {
    /// Whether this is what lies there, by whichever change it came.
    func isStored(_ value: EtcdKeyValue) -> Bool {
        var record = self
        record.change = (try? JSONDecoder().decode(AnyRecord.self, from: Data(value.value)))?.change ?? ""
        return record.encoded() == value.value
    }
}

extension EtcdIssuerStore {
    /// Keys of one transaction, below the limit by what else is in it.
    private static let part = 100

    /// Has a store that is being filled hold this and nothing else: what is there already stays.
    ///
    /// - Parameter written: called after each transaction.
    func fill(_ export: StoreExport, _ written: () async throws -> Void) async throws {
        let wanted = WantedRecords(export, layout)
        let present = try await everything()
        let contents = try ContentsReader(layout: layout, values: Array(present.values.values)).contents()
        try await setCopied(export.copiedAt, written)
        try await deleteUnwanted(wanted, present, contents, export, written)
        let missing = wanted.records.filter { key, record in present.values[key].map { !record.isStored($0) } ?? true }.keys
            .sorted()
        for part in missing.parts(of: Self.part) {
            try await changing { (_, change) throws(StoreError) in
                for key in part { if let record = wanted.records[key] { try change.put(key, record) } }
                return true
            }
            try await written()
        }
        try await append(export, contents, written)
        try await memory.keep { memory in
            memory.frontends = export.frontends
            memory.refused = export.refusedPIN.map {
                LocalMemory.Content.Refused(source: $0.source, returnValue: $0.returnValue, at: $0.at.seconds)
            }
        }
    }

    private func everything() async throws(StoreError) -> StoreSnapshot {
        let (gateway, layout) = (gateway, layout)
        let reading = try await Self.uncancelled { () async throws(StoreError) in
            try await Self.asking { () async throws(EtcdError) in try await gateway.read(.prefix(layout.base)) }
        }
        return ContentsReader(layout: layout, values: reading.values).snapshot
    }

    private func setCopied(_ moment: Timestamp?, _ written: () async throws -> Void) async throws {
        let place = layout.meta
        let isWritten = try await changing { [self] (snapshot, change) throws(StoreError) in
            var meta = try meta(snapshot)
            guard meta.copiedAt != moment?.seconds else { return false }
            meta.copiedAt = moment?.seconds
            try change.put(place, meta)
            return true
        }
        if isWritten != nil { try await written() }
    }

    /// What stands in an order goes from the first on that is out of it; all else that is not wanted goes too.
    private func deleteUnwanted(
        _ wanted: WantedRecords, _ present: StoreSnapshot, _ contents: StoreContents, _ export: StoreExport,
        _ written: () async throws -> Void
    ) async throws {
        let ordered =
            outOfOrder(ordered(contents).intents, export.intents).map { layout.intent($0.keyID) }
            + outOfOrder(contents.destructions, export.destructions).map { layout.destruction($0.keyID) }
            + outOfOrder(contents.quarantined, export.quarantined).map { layout.quarantined($0.keyID) }
        let families = [layout.issuers, layout.base + "ended/", layout.former, layout.starts, layout.keyIDs, layout.kids]
        let unwanted = present.values.keys.filter { key in
            wanted.records[key] == nil && (key == layout.token || families.contains { key.hasPrefix($0) })
        }
        for part in (ordered + unwanted.sorted()).parts(of: Self.part) {
            try await changing { (_, change) throws(StoreError) in
                for key in part { change.delete(key) }
                return true
            }
            try await written()
        }
    }

    /// Puts what stands in an order behind what is there of it.
    private func append(_ export: StoreExport, _ contents: StoreContents, _ written: () async throws -> Void) async throws {
        let (layout, by) = (layout, by)
        // Intents have no order within one transaction.
        for intent in export.intents.dropFirst(commonCount(ordered(contents).intents, export.intents)) {
            try await changing { (_, change) throws(StoreError) in
                try change.put(layout.intent(intent.keyID), IntentRecord(intent, by: by))
                return true
            }
            try await written()
        }
        let destructions = export.destructions.dropFirst(commonCount(contents.destructions, export.destructions))
        for part in Array(destructions).parts(of: Self.part) {
            try await changing { (_, change) throws(StoreError) in
                for (order, destruction) in part.enumerated() {
                    try change.put(
                        layout.destruction(destruction.keyID),
                        DestructionRecord(
                            by: by, order: order, issuer: destruction.issuer.text,
                            requestedAt: destruction.requestedAt.seconds,
                            publicKey: destruction.publicKey.map { Data($0) }, stray: destruction.isStray))
                }
                return true
            }
            try await written()
        }
        let quarantined = export.quarantined.dropFirst(commonCount(contents.quarantined, export.quarantined))
        for part in Array(quarantined).parts(of: Self.part) {
            try await changing { (_, change) throws(StoreError) in
                for (order, key) in part.enumerated() {
                    try change.put(layout.quarantined(key.keyID), QuarantinedRecord(key, order: order, by: by))
                }
                return true
            }
            try await written()
        }
    }

    /// As an export has them: without whose they were.
    private func ordered(_ contents: StoreContents) -> StoreExport {
        StoreExport(deployment: deployment, contents: contents, gone: [:], refusedPIN: nil)
    }

    private func outOfOrder<Value: Equatable>(_ present: [Value], _ wanted: [Value]) -> ArraySlice<Value> {
        present.dropFirst(commonCount(present, wanted))
    }

    private func commonCount<Value: Equatable>(_ left: [Value], _ right: [Value]) -> Int {
        zip(left, right).prefix { $0 == $1 }.count
    }
}

extension Array {
    /// Its elements in their order, at most so many together.
    fileprivate func parts(of size: Int) -> [[Element]] {
        stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
    }
}
