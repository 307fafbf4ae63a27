import AgentProtocol
import Platform

/// The one publication that the follower writes, the HTTP server reads and the cache keeps.
///
/// A change is served from the moment the call returns and reaches the disk afterwards, because the agent counts documents
/// as published once they were fetched.
public final class LivePublication: Sendable {
    private let state: Locked<Publication>
    private let clock: @Sendable () -> Moment
    /// One element for each change and each confirmation, or for several of them. For one reader, the cache writer.
    let changes: AsyncStream<Void>
    private let change: AsyncStream<Void>.Continuation

    /// Starts from what was known before. `clock` is the wall clock.
    public init(_ initial: Publication = Publication(), clock: @escaping @Sendable () -> Moment) {
        state = Locked(initial)
        self.clock = clock
        (changes, change) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// Everything known now.
    public var current: Publication { state.withLock { $0 } }

    /// The wall clock.
    var time: Moment { clock() }

    /// What a request for `path` gets now.
    public func document(at path: String) -> PublishedDocument? {
        let time = clock()
        return state.withLock { $0.document(at: path, time: time) }
    }

    /// Whether clients should be sent here now.
    public func readiness(staleAfter: Int64) -> Readiness {
        let time = clock()
        return state.withLock { $0.readiness(at: time, staleAfter: staleAfter) }
    }

    func apply(_ result: DiscoveryResult) {
        update { $0.apply(result) }
    }

    func drop(_ issuer: String) {
        update { $0.drop(issuer) }
    }

    func meet(_ deployment: String?, namesIssuers: Bool) -> Bool {
        update { $0.meet(deployment, namesIssuers: namesIssuers) }
    }

    func take(_ deployment: String) {
        update { $0.take(deployment) }
    }

    func note(unnamed issuers: Set<String>) {
        update { $0.note(unnamed: issuers) }
    }

    func confirm() {
        let time = clock().wireTime
        update { $0.confirm(at: time) }
    }

    @discardableResult
    private func update<Value: Sendable>(_ body: (inout Publication) -> Value) -> Value {
        defer { change.yield() }
        return state.withLock { body(&$0) }
    }
}
