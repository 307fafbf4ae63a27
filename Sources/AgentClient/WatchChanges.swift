public import AgentProtocol

/// The changes after a ``WatchSnapshot``, in order; for one consumer.
///
/// Changes that a slow consumer has not taken are folded into one, as the agent does. Ends when the connection is closed
/// here, and throws ``AgentUnreachable`` when it is lost. Keeps the connection open.
public struct WatchChanges: AsyncSequence, Sendable {
    public typealias Element = IssuerChanges

    let buffer: WatchBuffer
    let client: AgentConnection

    public func makeAsyncIterator() -> Iterator {
        Iterator(buffer: buffer, client: client, signals: buffer.signals.makeAsyncIterator())
    }

    public struct Iterator: AsyncIteratorProtocol {
        let buffer: WatchBuffer
        let client: AgentConnection
        var signals: AsyncThrowingStream<Void, any Error>.Iterator

        public mutating func next() async throws -> IssuerChanges? {
            while try await signals.next() != nil {
                // A signal whose change was taken with the one before leaves nothing to return.
                if let changes = buffer.take() { return changes }
            }
            return nil
        }
    }
}
