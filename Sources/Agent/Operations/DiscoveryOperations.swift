import AgentProtocol
import IssuerStore
import KeyLifecycle

/// `get-discovery`.
struct GetDiscovery: Operation {
    let registry: IssuerRegistry
    let clock: AgentClock
    let confirmation: ViewConfirmation

    func issuer(of parameters: GetDiscoveryParameters) -> String? { parameters.issuer }

    func run(_ admission: Admission<GetDiscoveryParameters>, _ context: OperationContext) async throws -> DiscoveryResult {
        let parameters = admission.parameters
        // Read first: documents may be newer than what is said of their age, and never older.
        let confirmed = confirmation.reading
        let issuer = try await registry.servingIssuer(named: parameters.issuer)
        var result = try IssuerDocuments.discovery(of: issuer, at: clock.wall())
        result.deployment = registry.store.deployment.id
        (result.confirmedAt, result.confirmedSecondsAgo) = (confirmed?.at, confirmed?.secondsAgo)
        return result
    }

    func replied(_ result: DiscoveryResult, _ context: OperationContext) {
        registry.feed.noteFetch(by: context.connection, issuer: result.issuer, generation: result.generation)
    }
}

/// `watch`.
struct Watch: Operation {
    let registry: IssuerRegistry
    let visibility: Visibility

    func run(_ admission: Admission<WatchParameters>, _ context: OperationContext) async throws -> WatchSnapshot {
        let parameters = admission.parameters
        let shows: @Sendable (String) -> Bool = { visibility.shows($0, to: context, by: .watch) }
        let revision = registry.feed.subscribe(
            context.connection, sink: context.notifications, acknowledges: parameters.acknowledges == true,
            origin: WatchOrigin(caller: context.caller, staleAfter: parameters.staleAfterSeconds),
            isShown: shows)
        // Read after subscribing: what changes in between is in the snapshot, and notified once more.
        let issuers = await registry.allIssuers.filter { shows($0.name.text) }
            .map { WatchedIssuer(name: $0.name.text, generation: $0.generation) }
        return WatchSnapshot(revision: revision, deployment: registry.store.deployment.id, issuers: issuers)
    }

    func unrecorded(_ context: OperationContext) {
        registry.feed.unsubscribe(context.connection)
    }

    /// Notifications begin after the snapshot.
    func replied(_ result: WatchSnapshot, _ context: OperationContext) {
        registry.feed.release(context.connection)
    }
}

/// `acknowledge`.
struct Acknowledge: Operation {
    let registry: IssuerRegistry

    func run(_ admission: Admission<AcknowledgeParameters>, _ context: OperationContext) async throws -> AcknowledgeResult {
        let parameters = admission.parameters
        // What is said of issuers that there are not would only take room.
        let known = await registry.knownNames(among: parameters.issuers.map(\.name))
        guard registry.feed.acknowledge(parameters.issuers.filter { known.contains($0.name) }, by: context.connection) else {
            throw ProtocolError(
                .invalidRequest, "this connection does not watch, or has not said that it acknowledges",
                hint: "call watch with \"acknowledges\": true first, on the same connection")
        }
        return AcknowledgeResult()
    }
}
