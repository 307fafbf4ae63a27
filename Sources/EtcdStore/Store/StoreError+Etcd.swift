import IssuerStore
import KeyLifecycle

extension StoreError {
    /// What a failure below a store call means for the caller.
    init(_ error: EtcdError) {
        let code: Code =
            switch error.code {
            case .undecided: .undecided
            case .otherCluster, .futureRevision: .displaced
            default: .unavailable
            }
        self.init(code, error.message, hint: error.hint, cause: error)
    }

    /// Nobody knows whether a change was made, since what would say so could not be asked.
    static func undecided(_ error: EtcdError) -> StoreError {
        StoreError(.undecided, error.message, hint: error.hint, cause: error)
    }

    /// The store holds what no release writes.
    static func edited(_ message: String, cause: (any Error)? = nil) -> StoreError {
        StoreError(
            .corrupt, "the store in etcd was edited or damaged: \(message)",
            hint: "find out who writes to etcd beside the agents, and restore etcd's snapshot or what was there", cause: cause)
    }

    /// The same, naming the issuer.
    func about(_ name: IssuerName) -> StoreError {
        guard !message.contains("issuer \(name)") else { return self }
        return StoreError(code, "the issuer \(name): \(message)", hint: hint, cause: cause)
    }

    /// A key is missing without which there is no store.
    static func gone(_ place: String) -> StoreError {
        StoreError(
            .displaced, "the store in etcd is gone: \(place) is not there any more",
            hint: "restore etcd's snapshot, and find out who removed it")
    }

    static func twoDeployments(under prefix: String, _ one: String, _ other: String) -> StoreError {
        StoreError(
            .displaced, "under \(prefix) in etcd lie two deployments, \(one) and \(other)",
            hint: "give each fleet a prefix of its own, and remove what does not belong here with etcdctl del --prefix")
    }

    static func tooLarge(_ what: String) -> StoreError {
        StoreError(.tooLarge, what, hint: "make the change in smaller parts; former URLs of an issuer go with --immediately")
    }
}
