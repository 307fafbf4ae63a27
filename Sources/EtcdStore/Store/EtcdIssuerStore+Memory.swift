public import IssuerStore
import KeyLifecycle
public import Platform

/// What a machine remembers of a store, for an operator who decides about it.
extension EtcdIssuerStore {
    /// Takes the store for what it is from now on, whatever this machine has seen of it before. Another machine has its own memory.
    func acceptAsItIs() async throws(StoreError) {
        let view = try await view()
        let cluster = gateway.hexadecimal(gateway.cluster)
        let epoch = cache.withLock { $0?.meta.epoch }
        var generations = Dictionary(
            view.contents.formerGenerations.map { ($0.key.text, $0.value) }, uniquingKeysWith: { $1 })
        for issuer in view.contents.issuers { generations[issuer.name.text] = issuer.generation }
        try await memory.keep { [generations] memory in
            (memory.cluster, memory.revision, memory.generations) = (cluster, view.revision, generations)
            memory.epoch = epoch
        }
    }

    /// The agent that uses the store as a member of the fleet, from this start on.
    ///
    /// - Parameters:
    ///   - host: its machine, for people.
    ///   - staleness: the longest it signs with a view that is not confirmed, in seconds.
    public func member(host: String, release: String, staleness: Int) -> FleetMember {
        FleetMember(id: by.agent, incarnation: by.incarnation, host: host, release: release, staleness: staleness)
    }

    /// Those who take part, but for what an agent of this machine has left behind: whoever holds the lock of the memory knows that it
    /// has ended.
    public func others() async throws(StoreError) -> [FleetReading.Entry] {
        let (reading, keeper, layout) = (try await fleet(), await memory.content.keeper, layout)
        let members = try await Self.uncancelled { () async throws(StoreError) in
            try await self.snapshot([], under: [layout.members]).under(layout.members)
        }
        var own: Set<String> = []
        for value in members {
            let record = try MemberRecord.decoded(value)
            if record.keeper == keeper { own.insert(record.incarnation) }
        }
        return reading.entries.filter { !own.contains($0.member.incarnation) }
    }

    /// Forgets that the token has refused a PIN on this machine. Etcd is not asked.
    ///
    /// - Parameter memory: the file, locked.
    /// - Returns: what was remembered; `nil` when nothing was.
    public static func forgetRefusedPIN(
        memory path: String, trusting trusted: TrustedDirectories = .none
    ) async throws(StoreError) -> RefusedPIN? {
        let memory = try await LocalMemory(path: path, isLocked: true, trusting: trusted)
        guard let refused = await memory.content.refused else { return nil }
        try await memory.keep { $0.refused = nil }
        return RefusedPIN(source: refused.source, returnValue: refused.returnValue, at: Timestamp(seconds: refused.at))
    }
}
