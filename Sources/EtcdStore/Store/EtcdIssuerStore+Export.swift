public import IssuerStore
import KeyLifecycle
import Platform

extension EtcdIssuerStore {
    /// The agent that uses it.
    public var agent: String { by.agent }

    /// The start of the agent that uses it; random.
    public var incarnation: String { by.incarnation }

    /// Reads everything as of one moment, what has come to an end included, and what this machine remembers.
    ///
    /// - Throws: `StoreError` with `.corrupt` for what no release writes.
    public func export() async throws(StoreError) -> StoreExport {
        try await exported().export
    }

    /// - Returns: also the revision at which the store was last changed.
    func exported() async throws(StoreError) -> (export: StoreExport, head: Int64) {
        let (gateway, layout) = (gateway, layout)
        let reading = try await Self.uncancelled { () async throws(StoreError) in
            try await Self.asking { () async throws(EtcdError) in try await gateway.read(.prefix(layout.base)) }
        }
        let reader = ContentsReader(layout: layout, values: reading.values)
        let meta = try meta(reader.snapshot)
        var contents = try reader.contents()
        let memory = await memory.content
        contents.frontends = memory.frontends
        let export = StoreExport(
            deployment: Deployment(id: meta.deployment, tenant: meta.tenant), contents: contents,
            gone: try reader.gone(beside: contents), refusedPIN: await refusedPIN())
        return (export, reader.snapshot.revision(of: layout.head))
    }
}

extension ContentsReader {
    /// Every `CKA_ID` that stands for no key any more.
    func gone(beside contents: StoreContents) throws(StoreError) -> [KeyID: StoreExport.GoneKey] {
        let inRings = Set(contents.issuers.flatMap(\.ring.keys).map(\.keyID))
        let pending = Set(
            contents.intents.map(\.keyID) + contents.destructions.map(\.keyID) + contents.quarantined.map(\.keyID))
        var gone: [KeyID: StoreExport.GoneKey] = [:]
        for value in snapshot.under(layout.keyIDs) {
            let id = try KeyID.reading(String(value.name.dropFirst(layout.keyIDs.count)))
            let record = try KeyIDRecord.decoded(value)
            let isDestroyed = record.role == KeyIDRecord.Role.destroyed.rawValue
            let isLost = record.role == KeyIDRecord.Role.lost.rawValue
            // One that was in a ring and nowhere else went with that.
            guard isDestroyed || isLost || (!inRings.contains(id) && !pending.contains(id)) else { continue }
            gone[id] = StoreExport.GoneKey(
                issuer: record.issuer, isLost: !isDestroyed, at: Timestamp(seconds: record.at ?? 0))
        }
        return gone
    }
}
