import IssuerStore

/// What of the shared store this agent goes by, and when the store last confirmed it.
struct ConfirmedView: Hashable, Sendable {
    private(set) var head: StoreHead?
    /// The revision of the view.
    private(set) var revision: Int64 = 0
    /// When the read was sent that confirmed it, in nanoseconds of the monotonic clock; `nil` before the first.
    private(set) var confirmedAt: Int64?

    /// The agent goes by this view from now on.
    mutating func adopt(_ view: StoreView) {
        head = view.head
        revision = view.revision
        confirm(at: view.sentAt)
    }

    /// Whether this reading says that nothing has been committed since; then the view is confirmed anew.
    mutating func isConfirmed(by reading: HeadReading) -> Bool {
        guard reading.head == head else { return false }
        confirm(at: reading.sentAt)
        return true
    }

    /// Seconds since it was confirmed; `nil` when it never was.
    func age(at now: Int64) -> Int? {
        confirmedAt.map { Int(clamping: max(now - $0, 0) / 1_000_000_000) }
    }

    private mutating func confirm(at moment: Int64) {
        confirmedAt = max(moment, confirmedAt ?? moment)
    }
}
