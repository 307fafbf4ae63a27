public import IssuerStore
import KeyLifecycle
import Platform

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

    /// Forgets that the token has refused a PIN on this machine. Etcd is not asked.
    ///
    /// - Parameter memory: the file, locked.
    /// - Returns: what was remembered; `nil` when nothing was.
    public static func forgetRefusedPIN(memory path: String) async throws(StoreError) -> RefusedPIN? {
        let memory = try await LocalMemory(path: path, isLocked: true)
        guard let refused = await memory.content.refused else { return nil }
        try await memory.keep { $0.refused = nil }
        return RefusedPIN(source: refused.source, returnValue: refused.returnValue, at: Timestamp(seconds: refused.at))
    }
}
