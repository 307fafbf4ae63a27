import AgentProtocol
import IssuerStore
import KeyLifecycle

/// `health`.
struct ReportHealth: Operation {
    let registry: IssuerRegistry
    let hsm: HSM
    let audit: AuditLog
    let lastReload: LastReload
    let visibility: Visibility

    /// What is wrong, the gravest first.
    var problems: [HealthProblem] {
        get async { problems(hsm.status.reading, KeyWorkHealth(hsm.keyWork), await registry.reading) }
    }

    private func problems(
        _ reading: HSMStatus.Reading, _ keyWork: KeyWorkHealth, _ keys: RegistryReading
    ) -> [HealthProblem] {
        var problems: [HealthProblem] = []
        if let trouble = reading.trouble {
            problems.append(HealthProblem(component: "hsm", message: trouble.message, hint: trouble.hint))
        }
        let others = reading.unavailableKeys.sorted { $0.key < $1.key } + reading.disturbances.sorted { $0.key < $1.key }
        for (_, error) in others {
            problems.append(HealthProblem(component: "hsm", message: error.message, hint: error.hint))
        }
        if reading.stuckCalls > 0 {
            problems.append(
                HealthProblem(
                    component: "hsm", message: "\(reading.stuckCalls) calls into the PKCS#11 module have not returned",
                    hint: "have the module and the HSM examined; the agent ends itself when there are too many"))
        }
        if let delay = keyWork.delay { problems.append(delay) }
        problems += keys.tokenProblems
        problems += keys.otherAgentProblems
        // One that is shared says the same with what comes of it.
        let said = [keys.fleet?.trouble?.message, keys.fleet?.silence?.message]
        if let storeTrouble = keys.storeTrouble, !said.contains(storeTrouble.message) {
            problems.append(HealthProblem(component: "store", message: storeTrouble.message, hint: storeTrouble.hint))
        }
        problems += keys.fleet?.problems ?? []
        if let problem = audit.trouble ?? audit.headTrouble {
            problems.append(HealthProblem(component: "audit", message: problem.message, hint: problem.hint))
        }
        problems += audit.incidents.unseen.map { incident in
            HealthProblem(
                component: "audit", message: incident,
                hint: "find out who did it and where the records are, then: privyseal call reload '{\"acceptAudit\":true}'")
        }
        if let doubt = keys.clockDoubt { problems.append(HealthProblem(doubt)) }
        if let failure = lastReload.failure {
            problems.append(
                HealthProblem(
                    component: "configuration",
                    message: "the configuration does not load, and the next start would fail: \(failure.message)",
                    hint: (failure.hint.map { "\($0); " } ?? "") + "then reload it again"))
        }
        for (name, work) in keys.failures.sorted(by: { $0.key < $1.key }) {
            problems.append(
                HealthProblem(
                    component: "lifecycle", message: "keys of issuer \(name) are not in order: \(work.message)",
                    hint: "the agent tries again by itself"))
        }
        return problems + keys.quarantineProblems
    }

    func run(_ admission: Admission<HealthParameters>, _ context: OperationContext) async throws -> Health {
        let reading = hsm.status.reading
        let keyWork = KeyWorkHealth(hsm.keyWork)
        let keys = await registry.reading
        let auditTrouble = audit.trouble
        var problems = problems(reading, keyWork, keys)
        // Problems name issuers and keys: who may not see all of them learns what is wrong, not with whom.
        if !visibility.showsAll(to: context, by: .health) {
            problems = Set(problems.map(\.component)).sorted().map {
                HealthProblem(component: $0, message: "something is wrong with the \($0)", hint: "ask the operator of the agent")
            }
        }
        let token = hsm.tokenInfo
        let isConfirmed = keys.fleet.map { $0.signsForSeconds > 0 } ?? true
        let signs = keys.standing.maySign && reading.trouble == nil && auditTrouble == nil && isConfirmed
        return Health(
            status: signs ? problems.isEmpty ? "ok" : "degraded" : "unavailable",
            hsm: HSMHealth(
                state: reading.trouble == nil ? "up" : "down", tokenLabel: token.label, tokenSerial: token.serial,
                sessions: reading.openSessions, queuedRequests: hsm.queuedSignatures,
                keyWork: keyWork),
            store: ComponentHealth(
                state: keys.storeTrouble == nil && keys.fleet?.isInTouch != false && keys.fleet?.silence == nil
                    ? "ok" : "unavailable"),
            clock: ComponentHealth(state: keys.clockDoubt == nil ? "ok" : "suspect"),
            audit: ComponentHealth(state: auditTrouble == nil ? "ok" : "unavailable"), problems: problems,
            fleet: keys.fleet.map {
                FleetHealth(
                    $0, destroyedKeysStop: hsm.destroyedKeysStop,
                    names: visibility.showsAll(to: context, by: .health))
            },
            notices: notices(keys, context))
    }
}

extension ReportHealth {
    /// What is as it was set and may not be meant, or not for long; issuers and agents are named to those who may see all of them.
    private func notices(_ keys: RegistryReading, _ context: OperationContext) -> [String]? {
        let mayKnow = visibility.showsAll(to: context, by: .health)
        let issuers = keys.issuersElsewhere
        let urls = FormerURLs.text(mayKnow ? issuers : [], others: mayKnow ? 0 : issuers.count)
        let found = [urls, mayKnow ? keys.fleet?.releases : nil].compactMap(\.self)
        return found.isEmpty ? nil : found
    }
}

extension KeyWorkHealth {
    /// Seconds for which a request may wait for the token before that is a problem.
    private static let patience = 5

    fileprivate init(_ lengths: [WorkClass: LineLength]) {
        func line(_ workClass: WorkClass) -> LineHealth {
            let length = lengths[workClass] ?? LineLength()
            return LineHealth(queued: length.count, oldestSeconds: Int(clamping: length.oldestSeconds))
        }
        self.init(awaited: line(.awaited), generation: line(.generation), destruction: line(.destruction))
    }

    fileprivate var delay: HealthProblem? {
        guard awaited.oldestSeconds >= Self.patience else { return nil }
        return HealthProblem(
            component: "hsm",
            message:
                "requests that read or change keys wait for the token: \(awaited.queued), the first for \(awaited.oldestSeconds) s",
            hint: "they go on one after the other; if the number grows, ask for less at a time, or have the token examined")
    }
}

extension HealthProblem {
    fileprivate init(_ doubt: ClockGuard.Doubt) {
        let message =
            switch doubt {
            case .jumped(let seconds):
                "the wall clock is \(abs(seconds)) s \(seconds < 0 ? "behind" : "ahead of") where the monotonic clock says it should be"
            case .beforeLastChange(let seconds): "the wall clock stands \(seconds) s before the last change in the store"
            case .differs(let agent, let seconds):
                "the wall clock of agent \(agent) is \(abs(seconds)) s \(seconds < 0 ? "behind" : "ahead of") this agent's"
            }
        let hint =
            if case .differs = doubt {
                "find out which clock is wrong and set it right; it is looked at again every ten seconds"
            } else {
                "set the clock right, or accept it with: privyseal call reload '{\"acceptClock\":true}'"
            }
        self.init(component: "clock", message: message + "; keys are not retired by time", hint: hint)
    }
}

/// `version`.
struct ReportVersion: Operation {
    let confirmation: ViewConfirmation

    func run(_ admission: Admission<VersionParameters>, _ context: OperationContext) async throws -> VersionResult {
        let confirmed = confirmation.reading
        return VersionResult(
            agentVersion: ProtocolVersion.agent, protocolVersion: ProtocolVersion.current,
            oldestClient: ProtocolVersion.oldestClient, confirmedAt: confirmed?.at, confirmedSecondsAgo: confirmed?.secondsAgo)
    }
}

/// `metrics`.
struct ReportMetrics: Operation {
    let text: @Sendable () -> String

    func run(_ admission: Admission<MetricsParameters>, _ context: OperationContext) async throws -> MetricsResult {
        MetricsResult(text: text())
    }
}

/// `reload`.
struct Reload: ChangeOperation {
    let registry: IssuerRegistry
    let reloader: Reloader
    let visibility: Visibility

    func run(_ admission: Admission<ReloadParameters>, _ context: OperationContext) async throws -> ReloadResult {
        let parameters = admission.parameters
        if parameters.acceptClock == true { await registry.acceptClock() }
        if parameters.acceptAudit == true { reloader.audit.acknowledgeIncidents() }
        if parameters.acceptToken == true { try await registry.acceptToken() }
        let (reloaded, warning) = try await reloader.reload()
        let shown = reloaded.issuersElsewhere.filter { visibility.shows($0.text, to: context, by: .reload) }
        let staying = FormerURLs.text(shown, others: reloaded.issuersElsewhere.count - shown.count)
        return ReloadResult(
            applied: reloaded.applied, needsRestart: reloaded.needsRestart,
            warnings: [warning.map { "the audit log goes on in the file it had: \($0.message)" }, staying].compactMap(\.self))
    }
}
