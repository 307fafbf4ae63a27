import AgentProtocol
import KeyLifecycle

/// `issuer-create`.
struct CreateIssuer: ChangeOperation {
    let registry: IssuerRegistry
    let views: IssuerViews

    func issuer(of parameters: IssuerCreateParameters) -> String? { parameters.issuer }

    func run(_ admission: Admission<IssuerCreateParameters>, _ context: OperationContext) async throws -> IssuerChangeResult {
        let parameters = admission.parameters
        let settings = try parameters.settings.applied(to: IssuerSettings())
        let created = try await registry.create(
            parameters.issuer, settings: settings, enabled: parameters.enableOIDCIssuer ?? false)
        let (issuer, publication) = await registry.awaitStandby(of: created)
        let settlement = await registry.settleBriefly(issuer.name)
        return IssuerChangeResult(
            issuer: views.status(issuer), settlement: settlement.map { SettlementView($0) },
            warnings: RelyingPartyAdvice.warnings(of: settings) + Self.warnings(issuer, publication)
                + (settlement?.warnings ?? []))
    }

    private static func warnings(_ issuer: Issuer, _ publication: PublicationOutcome?) -> [String] {
        if issuer.needsStandby {
            return ["the standby key is not published yet: it will be once it is made, which issuer status shows"]
        }
        return [publication?.warning(publishing: .standbyKey)].compactMap(\.self)
    }
}

/// `issuer-update`.
struct UpdateIssuer: ChangeOperation {
    let registry: IssuerRegistry
    let views: IssuerViews

    func issuer(of parameters: IssuerUpdateParameters) -> String? { parameters.issuer }

    func run(_ admission: Admission<IssuerUpdateParameters>, _ context: OperationContext) async throws -> IssuerChangeResult {
        let parameters = admission.parameters
        let patch = parameters.settings
        let (before, after) = try await registry.update(
            parameters.issuer, ifGeneration: parameters.ifGeneration
        ) { issuer, freshURL in
            IssuerUpdate(
                settings: patch.isEmpty ? nil : try patch.applied(to: issuer.settings),
                enabled: parameters.enableOIDCIssuer, renewsURL: parameters.newIssuerURL ?? false, freshURL: freshURL,
                immediately: parameters.immediately ?? false)
        }
        let settlement =
            before.generation == after.generation
            ? nil : await registry.settleBriefly(after.name)
        return IssuerChangeResult(
            issuer: views.status(after), settlement: settlement.map { SettlementView($0) },
            warnings: Self.warnings(before, after) + (settlement?.warnings ?? []))
    }

    private static func warnings(_ before: Issuer, _ after: Issuer) -> [String] {
        var warnings: [String] = []
        if before.issuerURL != after.issuerURL {
            warnings.append(
                "iss of every new JWT is now \(after.issuerURL): relying parties must be told, and workloads may need a restart")
        }
        if case .enabled(let url) = before.profile, before.profile != after.profile {
            let isServed = after.acceptedIssuers.contains { $0.url == url }
            warnings.append(
                isServed
                    ? "JWTs issued under \(url) verify until its documents end"
                    : "JWTs issued under \(url) no longer verify: its documents are gone")
        }
        if before.settings.keySpecification != after.settings.keySpecification {
            warnings.append("\(after.settings.keySpecification) signs from the next rotation on")
        }
        warnings += RelyingPartyAdvice.warnings(of: after, before: before)
        if before.settings.jwksMaxAge != after.settings.jwksMaxAge {
            warnings += RelyingPartyAdvice.warnings(of: after.settings)
        }
        return warnings
    }
}

/// `issuer-delete`.
struct DeleteIssuer: ChangeOperation {
    let registry: IssuerRegistry
    let hsm: HSM
    let clock: AgentClock

    func issuer(of parameters: IssuerDeleteParameters) -> String? { parameters.issuer }

    func run(_ admission: Admission<IssuerDeleteParameters>, _ context: OperationContext) async throws -> IssuerDeleteResult {
        let parameters = admission.parameters
        let issuer = try await registry.delete(parameters.issuer, ifGeneration: parameters.ifGeneration)
        let now = clock.wall()
        let (settlement, areKeysDestroyed) = await registry.settleDeletion(of: issuer)
        return IssuerDeleteResult(
            issuer: issuer.name.text, revoked: issuer.ring.published.map(\.kid),
            exposureSeconds: max(issuer.cachedUntil(now) - now, 0),
            settlement: settlement.map {
                SettlementView($0, areKeysDestroyed: areKeysDestroyed, destroyedKeysStop: hsm.destroyedKeysStop)
            },
            warnings: settlement?.warnings ?? [])
    }
}

/// `issuer-status`.
struct ShowIssuer: Operation {
    let registry: IssuerRegistry
    let views: IssuerViews

    func issuer(of parameters: IssuerStatusParameters) -> String? { parameters.issuer }

    func run(_ admission: Admission<IssuerStatusParameters>, _ context: OperationContext) async throws -> IssuerStatus {
        let (issuer, quarantine) = try await registry.shownIssuer(named: admission.parameters.issuer)
        return views.status(issuer, quarantine)
    }
}

/// `issuer-list`.
struct ListIssuers: Operation {
    let registry: IssuerRegistry
    let views: IssuerViews
    let visibility: Visibility

    func run(_ admission: Admission<IssuerListParameters>, _ context: OperationContext) async throws -> IssuerList {
        let parameters = admission.parameters
        let shown = await registry.allIssuers.filter { visibility.shows($0.name.text, to: context, by: .issuerList) }
        let page = try Page(shown, parameters) { $0.name.text }
        let quarantine = await registry.quarantinedIssuers
        return IssuerList(
            issuers: page.entries.map { views.status($0, quarantine[$0.name]) }, nextCursor: page.nextCursor)
    }
}

/// Issuers as the protocol shows them, with what is not theirs: the clock and the HSM's state.
struct IssuerViews: Sendable {
    let clock: AgentClock
    let hsm: HSM

    func status(_ issuer: Issuer, _ quarantine: Quarantine? = nil) -> IssuerStatus {
        IssuerStatus(
            issuer, isHSMUp: hsm.status.reading.trouble == nil, quarantine: quarantine, at: clock.wall())
    }
}
