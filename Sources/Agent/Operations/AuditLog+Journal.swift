/// What the agent does by itself is a note: nobody asked for it.
extension AuditLog: KeyJournal {
    func attempt(_ deed: String) async throws {
        if let trouble { throw trouble }
        if let error = await durable(.note(deed)) { throw error }
    }

    func note(_ deed: String) {
        submit(.note(deed))
        signHeadSoon()
    }
}
