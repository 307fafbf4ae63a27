/// What was found out of a token: whether destroying a key stops a process that has used it.
public struct FenceTestResult: Hashable, Sendable {
    /// Of the token.
    public let label: String
    public let serial: String
    public let stops: Bool

    public init(label: String, serial: String, stops: Bool) {
        (self.label, self.serial, self.stops) = (label, serial, stops)
    }

    /// `nil` where another token was tried.
    func stops(on token: (label: String, serial: String)) -> Bool? {
        token == (label, serial) ? stops : nil
    }
}
