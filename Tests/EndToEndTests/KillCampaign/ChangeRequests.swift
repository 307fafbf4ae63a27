import AgentClient
import AgentProtocol

/// Asks the agent for changes and enters what it answers into the ledger.
struct ChangeRequests: Sendable {
    let client: AgentConnection
    let ledger: Ledger

    func create(_ name: String, _ algorithm: String) async throws {
        ledger.update(name) { $0.isInDoubt = true }
        try await change(name) {
            let parameters = IssuerCreateParameters(issuer: name, enableOIDCIssuer: true, settings: .init(algorithm: algorithm))
            ledger.said(try await client.call(parameters).issuer)
        }
    }

    func rotate(_ name: String) async throws {
        try await change(name) { ledger.said(try await client.call(RotateParameters(issuer: name))) }
    }

    func revoke(_ kid: String, of name: String) async throws {
        try await change(name) {
            ledger.said(try await client.call(RevokeKeyParameters(kid: kid)))
            ledger.update(name) { _ = $0.revoked.insert(kid) }
        }
    }

    /// Revokes the key in this state, if there is one.
    func revokeKey(in state: String, of name: String) async throws {
        if let kid = try await kid(state, of: name) { try await revoke(kid, of: name) }
    }

    func enable(_ name: String, _ isEnabled: Bool) async throws {
        try await change(name) {
            ledger.said(try await client.call(IssuerUpdateParameters(issuer: name, enableOIDCIssuer: isEnabled)).issuer)
        }
    }

    func delete(_ name: String) async throws {
        ledger.update(name) { $0.isDeletionInDoubt = true }
        do {
            _ = try await client.call(IssuerDeleteParameters(issuer: name))
            ledger.update(name) { $0.isDeleted = true }
        } catch let error as ProtocolError {
            ledger.update(name) { $0.isDeletionInDoubt = !Self.isRefusal(error) }
        } catch let error as AgentUnreachable {
            ledger.update(name) { $0.isDeletionInDoubt = error.isOutcomeUnknown }
            throw error
        }
    }

    func kid(_ state: String, of name: String) async throws -> String? {
        try await client.call(ListKeysParameters(issuer: name, limit: 500)).keys.first { $0.state == state }?.kid
    }

    private func change(_ name: String, _ body: () async throws -> Void) async throws {
        ledger.update(name) { $0.isInDoubt = true }
        do {
            try await body()
        } catch let error as ProtocolError {
            ledger.update(name) { $0.isInDoubt = !Self.isRefusal(error) }
        } catch let error as AgentUnreachable {
            ledger.update(name) { $0.isInDoubt = error.isOutcomeUnknown }
            throw error
        }
    }

    /// Whether the error says that nothing was changed.
    private static func isRefusal(_ error: ProtocolError) -> Bool {
        error.reason != .deadlineExceeded && error.reason != .storeUnavailable
    }
}
