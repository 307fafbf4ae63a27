import IssuerStore

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

    /// The store holds what no release writes.
    static func edited(_ message: String, cause: (any Error)? = nil) -> StoreError {
        StoreError(
            .corrupt, "the store in etcd was edited or damaged: \(message)",
            hint: "find out who writes to etcd beside the agents, and restore etcd's snapshot or what was there", cause: cause)
    }

    static func tooLarge(_ what: String) -> StoreError {
        StoreError(.tooLarge, what, hint: "make the change in smaller parts; former URLs of an issuer go with --immediately")
    }
}
