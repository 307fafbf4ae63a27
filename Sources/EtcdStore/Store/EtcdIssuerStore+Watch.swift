public import IssuerStore

extension EtcdIssuerStore {
    public func watch(after revision: Int64, _ hint: @escaping @Sendable (StoreHint) async -> Void) async throws {
        let (layout, agent) = (layout, by.agent)
        do {
            try await gateway.watch(.prefix(layout.base), from: revision + 1) { message in
                let hints = Set(
                    message.events.compactMap { event in
                        layout.hint(
                            event.value.name, isNew: event.isDeletion || event.value.created == event.value.modified, for: agent)
                    })
                for kind in [StoreHint.contents, .members] where hints.contains(kind) { await hint(kind) }
            }
        } catch let error as EtcdError {
            throw StoreError(error)
        } catch let error as StoreError {
            throw error
        } catch {
            throw StoreError(.cancellation)
        }
    }
}
