/// How many frontends the store knows of, so that the next start of the agent can wait for them.
struct NotedFrontends: Sendable {
    /// Looks, about a second apart, before a frontend that is away counts as gone.
    static let patience = 60

    /// As many as the store knows of.
    private(set) var count: Int
    /// For how many looks there have been fewer.
    private var looksWithFewer = 0

    init(count: Int = 0) {
        self.count = count
    }

    /// Looks how many there are.
    ///
    /// - Returns: whether the store is to be told.
    mutating func look(_ present: Int) -> Bool {
        if present > count { return true }
        looksWithFewer = present < count ? looksWithFewer + 1 : 0
        return looksWithFewer >= Self.patience
    }

    /// The store has been told.
    mutating func note(_ present: Int) {
        (count, looksWithFewer) = (present, 0)
    }
}
