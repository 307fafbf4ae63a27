import Platform

/// Which member is asked first: the one that answered last, so that a dead one costs its time once.
final class EndpointRing: Sendable {
    private struct State {
        var first = 0
        var troubles: [EtcdEndpoint: EtcdError] = [:]
        var cluster: UInt64 = 0
    }

    private let endpoints: [EtcdEndpoint]
    private let state = Locked(State())

    init(_ endpoints: [EtcdEndpoint]) {
        self.endpoints = endpoints
    }

    /// Every endpoint once, and the first of them again: a connection that was closed at rest says nothing of the member.
    func attempts() -> [EtcdEndpoint] {
        let first = state.withLock { $0.first }
        return (0...endpoints.count).map { endpoints[(first + $0) % endpoints.count] }
    }

    var first: EtcdEndpoint { endpoints[state.withLock { $0.first }] }

    /// What each endpoint that did not answer last time said or did instead.
    var troubles: [EtcdEndpoint: EtcdError] { state.withLock { $0.troubles } }

    /// The cluster that answered first; 0 before that.
    var cluster: UInt64 { state.withLock { $0.cluster } }

    func succeeded(_ endpoint: EtcdEndpoint) {
        guard let index = endpoints.firstIndex(of: endpoint) else { return }
        state.withLock { state in
            state.first = index
            state.troubles[endpoint] = nil
        }
    }

    /// Puts the next endpoint first, when this one was.
    func failed(_ endpoint: EtcdEndpoint, _ error: EtcdError) {
        let (endpoints, index) = (endpoints, endpoints.firstIndex(of: endpoint))
        state.withLock { state in
            state.troubles[endpoint] = error
            if state.first == index { state.first = (state.first + 1) % endpoints.count }
        }
    }

    /// Notes the cluster of an answer, and returns the one before when it was another.
    func note(cluster: UInt64) -> UInt64? {
        guard cluster != 0 else { return nil }
        return state.withLock { state in
            if state.cluster == 0 { state.cluster = cluster }
            return state.cluster == cluster ? nil : state.cluster
        }
    }
}
