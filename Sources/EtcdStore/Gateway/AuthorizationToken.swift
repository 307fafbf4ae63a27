/// The token that etcd gave for user and password, got once however many calls want it at the same time.
actor AuthorizationToken {
    private var current: String?
    private var signingIn: Task<String, any Error>?

    func value(_ signIn: @escaping @Sendable () async throws -> String) async throws -> String {
        if let current { return current }
        if let signingIn { return try await signingIn.value }
        let task = Task { try await signIn() }
        signingIn = task
        defer { signingIn = nil }
        let token = try await task.value
        current = token
        return token
    }

    /// Forgets a token that was refused, unless it has been replaced by now.
    func discard(_ token: String) {
        if current == token { current = nil }
    }
}
