/// What a request may bring along.
enum RequestLimits {
    /// Bytes of a body, which nothing here has a use for.
    static let body = 65_536
    /// Bytes of a body that go on coming after the answer, before the connection is closed with them unread.
    static let drained = 1_048_576
}
