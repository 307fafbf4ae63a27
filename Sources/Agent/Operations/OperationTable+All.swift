import Logging

extension OperationTable {
    /// Every operation there is, beside `sign`.
    ///
    /// - Parameters:
    ///   - confirmation: how old what the agent knows of a shared store may be.
    ///   - metrics: the metrics of the process in Prometheus text format.
    init(
        registry: IssuerRegistry, hsm: HSM, gate: Gate, audit: AuditLog, reloader: Reloader, health: ReportHealth,
        confirmation: ViewConfirmation = .ownStore, metrics: @escaping @Sendable () -> String, clock: AgentClock, log: Logger
    ) {
        let views = IssuerViews(clock: clock, hsm: hsm)
        let visibility = Visibility(gate: gate)
        self.init(gate: gate, audit: audit, log: log)
        add(ListKeys(registry: registry, custody: hsm.custody, visibility: visibility))
        add(Rotate(registry: registry, hsm: hsm, audit: audit))
        add(RevokeKey(registry: registry, hsm: hsm, audit: audit, visibility: visibility))
        add(ShowIssuer(registry: registry, views: views))
        add(CreateIssuer(registry: registry, views: views))
        add(UpdateIssuer(registry: registry, views: views))
        add(DeleteIssuer(registry: registry, hsm: hsm, clock: clock))
        add(ListIssuers(registry: registry, views: views, visibility: visibility))
        add(GetDiscovery(registry: registry, clock: clock, confirmation: confirmation))
        add(Watch(registry: registry, visibility: visibility))
        add(Acknowledge(registry: registry))
        add(health)
        add(ReportVersion(confirmation: confirmation))
        add(ReportMetrics(text: metrics))
        add(Reconcile(registry: registry))
        add(SaveStore(registry: registry))
        add(Reload(registry: registry, reloader: reloader, visibility: visibility))
    }
}
