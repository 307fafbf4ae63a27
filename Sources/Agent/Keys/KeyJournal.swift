/// Where it is recorded what an agent does to keys by itself.
protocol KeyJournal: Sendable {
    /// Records what is about to be done, on the disk when this returns.
    ///
    /// - Throws: when it cannot be; then it must not be done.
    func attempt(_ deed: String) async throws

    /// Records what has been done.
    func note(_ deed: String)
}

/// For what is recorded otherwise, as by the command that does it.
struct NoJournal: KeyJournal {
    func attempt(_ deed: String) async throws {}
    func note(_ deed: String) {}
}
