import AgentProtocol

/// `store-save`.
struct SaveStore: ChangeOperation {
    let registry: IssuerRegistry

    func run(_ admission: Admission<StoreSaveParameters>, _ context: OperationContext) async throws -> StoreSaveResult {
        let path = try await registry.saveStore()
        return StoreSaveResult(saved: path != nil, path: path)
    }
}
