/// What is to be said of a configuration that a daemon can start with.
public struct StartRemark: Sendable, Equatable {
    /// Whether something is not as it was meant.
    public let isWarning: Bool
    /// One line.
    public let text: String

    static func note(_ text: String) -> StartRemark { StartRemark(isWarning: false, text: text) }
    static func warning(_ text: String) -> StartRemark { StartRemark(isWarning: true, text: text) }
}
