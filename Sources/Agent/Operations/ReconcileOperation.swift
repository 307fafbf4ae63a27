import AgentProtocol
import IssuerStore
import KeyLifecycle

/// `reconcile`.
struct Reconcile: ChangeOperation {
    let registry: IssuerRegistry

    func isDryRun(_ parameters: ReconcileParameters) -> Bool { parameters.dryRun ?? false }

    func complete(_ record: inout AuditRecord, with result: ReconcileResult) {
        let failed = result.actions.count { $0.error != nil }
        if failed > 0 { record.reason = "\(failed) steps failed" }
    }

    func run(_ admission: Admission<ReconcileParameters>, _ context: OperationContext) async throws -> ReconcileResult {
        let parameters = admission.parameters
        let dryRun = parameters.dryRun ?? false
        let (plan, steps) = try await registry.reconcile(dryRun: dryRun)
        return ReconcileResult(plan, steps, quarantine: await registry.quarantinedIssuers, dryRun: dryRun)
    }
}

extension ReconcileResult {
    /// Findings in one reply: a reply line has its limit.
    private static let findingLimit = 1_000

    init(
        _ plan: ReconciliationPlan, _ steps: [ReconciliationStep], quarantine: [IssuerName: Quarantine], dryRun: Bool
    ) {
        let findings = plan.findings
        let actions = steps.compactMap(ReconciliationAction.init)
        self.init(
            dryRun: dryRun,
            token: ReconciledToken(
                label: plan.token.label, serial: plan.token.serial, proven: plan.isProven,
                lastLabel: plan.formerToken?.label, lastSerial: plan.formerToken?.serial),
            storeCopiedAt: plan.copiedAt.map(WireTime.init),
            quarantinedIssuers: quarantine.sorted { $0.key < $1.key }.map { name, why in
                QuarantinedIssuerView(issuer: name.text, reason: why.reason)
            },
            actions: Array(actions.prefix(Self.findingLimit)), findings: Array(findings.prefix(Self.findingLimit)),
            omittedFindings: max(findings.count - Self.findingLimit, 0) + max(actions.count - Self.findingLimit, 0),
            otherDeployments: plan.otherDeployments.sorted { $0.key < $1.key }.map {
                DeploymentCount(deployment: $0.key, keys: $0.value)
            },
            objectsWithoutID: plan.withoutID, foreignObjects: plan.foreign)
    }
}

extension ReconciliationAction {
    /// `nil` for a step that waits: it is a finding.
    fileprivate init?(_ step: ReconciliationStep) {
        let name: String
        let keyID: KeyID
        switch step.kind {
        case .intent(let item):
            keyID = item.intent.keyID
            switch item.step {
            case .adopt: name = "adopt"
            case .abandon: name = "abandon"
            case .bury: name = "bury"
            case .keep: return nil
            }
        case .destruction(let item):
            keyID = item.destruction.keyID
            switch item.step {
            case .destroy: name = "destroy"
            case .conclude: name = "conclude"
            case .wait, .leave: return nil
            }
        }
        self.init(
            action: name, issuer: step.issuer.text, keyID: "\(keyID)", done: step.isDone, error: step.failure)
    }
}

extension ReconciliationPlan {
    /// The gravest first.
    fileprivate var findings: [ReconciliationFinding] {
        missing.map {
            ReconciliationFinding(
                finding: "missing", issuer: $0.issuer.text, keyID: "\($0.keyID)", kid: $0.kid, state: $0.state.rawValue)
        } + unknown.map { Self.finding("unknown", $0) } + quarantinedKeys.map { Self.finding("quarantined", $0) }
            + destructions.compactMap { item in
                guard item.step == .wait || item.step == .leave else { return nil }
                let row = item.destruction
                return ReconciliationFinding(
                    finding: item.step == .wait ? "waiting" : "differs", issuer: row.issuer.text, keyID: "\(row.keyID)")
            }
            + intents.filter { $0.step == .keep }.map {
                ReconciliationFinding(finding: "tombstone", issuer: $0.intent.issuer.text, keyID: "\($0.intent.keyID)")
            }
    }

    private static func finding(_ name: String, _ key: QuarantinedKey) -> ReconciliationFinding {
        ReconciliationFinding(finding: name, issuer: key.issuer.text, keyID: "\(key.keyID)", kid: key.kid)
    }
}
