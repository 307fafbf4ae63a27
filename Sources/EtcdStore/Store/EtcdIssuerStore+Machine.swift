public import IssuerStore
import KeyLifecycle
import Platform

/// What is about agents and machines rather than about issuers.
extension EtcdIssuerStore {
    /// As many starts as anybody could ask about; a note on a token is replaced at each.
    private static let startLimit = 256

    public func noteAgents(_ ids: Set<String>) async throws(StoreError) {
        let (layout, noted) = (layout, ids.sorted())
        for start in stride(from: 0, to: noted.count, by: 60) {
            let batch = noted[start..<min(start + 60, noted.count)]
            try await changing(under: [layout.starts]) { (snapshot, change) throws(StoreError) in
                let there = snapshot.under(layout.starts)
                for id in batch {
                    change.compare(layout.start(id), in: snapshot)
                    try change.put(layout.start(id), MarkRecord())
                }
                let others = there.filter { change.written[$0.name] == nil }.sorted { $0.modified < $1.modified }
                let excess = others.count + batch.count - Self.startLimit
                for oldest in others.prefix(min(max(excess, 0), 60)) {
                    change.compare(oldest.name, in: snapshot)
                    change.delete(oldest.name)
                }
                return true
            }
        }
    }

    public func forgetAgents(_ ids: Set<String>) async throws(StoreError) {
        let places = ids.sorted().map(layout.start)
        for start in stride(from: 0, to: places.count, by: 100) {
            let batch = Array(places[start..<min(start + 100, places.count)])
            try await changing(reading: batch) { (snapshot, change) throws(StoreError) in
                let there = batch.filter(snapshot.exists)
                for place in there {
                    change.compare(place, in: snapshot)
                    change.delete(place)
                }
                return !there.isEmpty
            }
        }
    }

    /// About this machine alone, and kept on it.
    public func noteFrontends(_ count: Int) async throws(StoreError) {
        try requireWritable()
        try await memory.keep { $0.frontends = count }
    }

    public func refusedPIN() async -> RefusedPIN? {
        await memory.content.refused.map {
            RefusedPIN(source: $0.source, returnValue: $0.returnValue, at: Timestamp(seconds: $0.at))
        }
    }

    /// About this machine alone, and kept on it.
    public func setRefusedPIN(_ refused: RefusedPIN?) async throws(StoreError) {
        try requireWritable()
        let kept = refused.map {
            LocalMemory.Content.Refused(source: $0.source, returnValue: $0.returnValue, at: $0.at.seconds)
        }
        try await memory.keep { $0.refused = kept }
    }

    /// - Throws: `StoreError` with `.displaced` when the store is gone from etcd.
    public func checkPlace() async throws(StoreError) {
        _ = try meta(await snapshot([layout.meta]))
    }

    /// Writes beside everything that counts, so that no view changes by it.
    public func probe() async throws(StoreError) {
        try requireWritable()
        try await checkPlace()
        var mark = MarkRecord()
        mark.change = SystemRandom.hexadecimal(bytes: 16)
        let (gateway, place, bytes) = (gateway, layout.probes + by.agent, mark.encoded())
        try await Self.asking { () async throws(EtcdError) in _ = try await gateway.put(place, bytes) }
    }

    /// What is in etcd is where it belongs.
    ///
    /// - Throws: `StoreError` with `.displaced` when it is gone: what an agent remembers of it is less than what it was.
    public func save() async throws(StoreError) -> String? {
        try await checkPlace()
        return nil
    }
}
