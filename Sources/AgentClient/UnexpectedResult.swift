public import AgentProtocol

/// The agent carried a call out, but its result is not of the form this client knows.
public struct UnexpectedResult: Error, Sendable, CustomStringConvertible {
    public let method: Method
    /// What is not as expected.
    public let cause: any Error

    /// What happened, in one line.
    public var message: String { "the agent's result of \"\(method)\" is not of the form this client knows" }
    /// What to do about it, in one line.
    public var hint: String { "the call was carried out; compare the releases of client and agent with `privyseal version`" }

    public var description: String { message }
}
