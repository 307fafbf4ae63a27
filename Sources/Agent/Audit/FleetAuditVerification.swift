import Platform

/// Verifies the logs of the agents of a fleet: each by itself, and all of them against each other. With one log it is that one's
/// verification.
///
/// Of two logs each has to have what the other one has noted of it, and together they have to have each change once.
public struct FleetAuditVerification: Sendable {
    /// One of the logs.
    public struct Log: Sendable {
        /// Whose it is, as far as its files say so.
        public let agents: [String]
        public let files: [String]
        public let verification: AuditVerification

        /// As it is called to people: its agent, or its newest file.
        public var name: String { agents.last.map { "agent \($0)" } ?? files.last ?? "" }
    }

    public private(set) var logs: [Log] = []
    /// What the logs show of each other.
    public private(set) var findings: [AuditVerification.Finding] = []
    public private(set) var doubts: [AuditVerification.Doubt] = []
    /// What is worth a word and no fault.
    public private(set) var remarks: [String] = []
    /// Changes that stand as made, and of how many issuers.
    public private(set) var changes = (count: 0, issuers: 0)
    /// Heads of one log that stand in another one and in their own.
    public private(set) var confirmedHeads = 0

    private let keys: [AuditPublicKey]
    private let expected: [KnownHead]
    private let interval: Int

    /// - Parameters:
    ///   - keys: the audit keys, and those before them.
    ///   - heads: records that were noted elsewhere; with several logs each says whose it is.
    ///   - interval: seconds between two heads, as the agents were configured.
    public init(publicKeys keys: [AuditPublicKey] = [], expecting heads: [KnownHead] = [], headInterval interval: Int = 3_600) {
        (self.keys, expected, self.interval) = (keys, heads, interval)
    }

    public var verdict: AuditVerification.Verdict {
        let verdicts = logs.map(\.verification.verdict)
        if !findings.isEmpty || verdicts.contains(.notIntact) { return .notIntact }
        return !doubts.isEmpty || verdicts.contains(.unproven) ? .unproven : .proven
    }

    /// Verifies files, those of each log the oldest first.
    ///
    /// - Throws: `PlatformError` for a file that cannot be read; `AuditError` for a noted head that does not say whose it is.
    public mutating func read(_ paths: [String]) throws {
        let surveyed = SurveyedLog.sorted(try paths.map { try AuditSurvey(of: $0) })
        try checkExpected(among: surveyed)
        let witnesses = surveyed.map { $0.files.flatMap(\.witnesses) }
        for log in surveyed {
            let names = log.agents
            var verification = AuditVerification(
                publicKeys: keys, expecting: expected.filter { $0.agent.map(names.contains) ?? true }, headInterval: interval,
                watching: Set(witnesses.joined().filter { names.contains($0.agent) }.map(\.head.link.seq)))
            try verification.read(log.files.map(\.path))
            logs.append(Log(agents: names, files: log.files.map(\.path), verification: verification))
        }
        guard logs.count > 1 else { return }
        for (place, noted) in witnesses.enumerated() { compare(noted, of: place) }
        let given = Set(logs.flatMap(\.agents))
        let absent = Set(witnesses.joined().map(\.agent)).subtracting(given).sorted()
        for agent in absent { doubtAbsence(of: agent, witnesses) }
        take(FleetChanges.judge(surveyed.map { $0.files.flatMap(\.changes) }, logs.map(\.extent), absent: absent))
        for log in logs {
            if let first = log.verification.first, first > 0 {
                remarks.append(
                    "what was given of \(log.name) begins with record \(first), of \(log.verification.firstTime ?? "-")")
            }
        }
    }

    private func checkExpected(among logs: [SurveyedLog]) throws {
        for head in expected {
            guard let agent = head.agent else {
                guard logs.count > 1 else { continue }
                throw AuditError(
                    .unusable,
                    "files of \(logs.count) logs were given, and the noted head \(head.seq) does not say of which it is",
                    hint: "give it as AGENT=number:hash")
            }
            guard !logs.contains(where: { $0.agents.contains(agent) }) else { continue }
            throw AuditError(
                .unusable, "none of the files says that it is of the log of agent \(agent)", hint: "give that agent's files too")
        }
    }

    private mutating func take(_ outcome: FleetChanges.Outcome) {
        findings += outcome.findings
        doubts += outcome.doubts
        remarks += outcome.remarks
        changes = (outcome.made, outcome.issuers.count)
    }

    // MARK: - Heads

    /// Compares the heads that a log has of others with their logs. Of each of those what is missing is said once.
    private mutating func compare(_ noted: [AuditSurvey.Witness], of place: Int) {
        for agent in Set(noted.map(\.agent)).sorted() {
            guard let log = logs.first(where: { $0.agents.contains(agent) }) else { continue }
            var (beyond, changed): ([AuditSurvey.Witness], [AuditSurvey.Witness]) = ([], [])
            for witness in noted where witness.agent == agent {
                guard isGenuine(witness) else { continue }
                let seq = witness.head.link.seq
                if let hashes = log.verification.watched[seq] {
                    if hashes.contains(witness.head.link.hash) { confirmedHeads += 1 } else { changed.append(witness) }
                } else if seq > log.verification.last ?? 0 || log.verification.last == nil {
                    beyond.append(witness)
                } else if seq >= log.verification.first ?? 0 {
                    changed.append(witness)
                }
            }
            if let first = changed.first {
                find(
                    first,
                    "record \(first.head.link.seq) of agent \(agent) is not the one whose head \(logs[place].name) noted here at "
                        + "\(first.place.time): the log was written anew\(Self.more(changed))")
            }
            if let last = beyond.max(by: { $0.head.link.seq < $1.head.link.seq }) {
                let end =
                    log.verification.last.map { "ends with record \($0), of \(log.verification.lastTime ?? "-")" } ?? "is empty"
                find(
                    last,
                    "the log of agent \(agent) is cut off: its head of record \(last.head.link.seq) was noted here at "
                        + "\(last.place.time), and what was given of it \(end)\(Self.more(beyond))")
            }
        }
    }

    private static func more(_ witnesses: [AuditSurvey.Witness]) -> String {
        witnesses.count == 1 ? "" : " (so of \(witnesses.count) noted heads)"
    }

    /// Whether a noted head may be held against the log that it is of. One whose signature is not its agent's has been put into the store
    /// by somebody else.
    private mutating func isGenuine(_ witness: AuditSurvey.Witness) -> Bool {
        guard let key = keys.first(where: { $0.kid == witness.head.kid }) else {
            guard !keys.isEmpty else { return true }
            let doubt = AuditVerification.Doubt(
                message: "the noted head of agent \(witness.agent) (\(witness.place)) is signed by a key that was not given",
                hint: "give the audit key of each agent, as \"privyseald audit key\" prints them all")
            if !doubts.contains(where: { $0.hint == doubt.hint }) { doubts.append(doubt) }
            return true
        }
        guard key.agent.map({ $0 == witness.agent }) ?? true, key.hasSigned(witness.head) else {
            find(
                witness,
                "the head that was noted here of agent \(witness.agent) is not signed by its audit key: somebody has put it into the store"
            )
            return false
        }
        return true
    }

    private mutating func doubtAbsence(of agent: String, _ witnesses: [[AuditSurvey.Witness]]) {
        guard let last = witnesses.joined().filter({ $0.agent == agent }).max(by: { $0.head.link.seq < $1.head.link.seq }) else {
            return
        }
        doubts.append(
            AuditVerification.Doubt(
                message:
                    "no log of agent \(agent) was given, and its head of record \(last.head.link.seq) was noted in \(last.place) "
                    + "at \(last.place.time)", hint: "give the files of agent \(agent) too"))
    }

    private mutating func find(_ witness: AuditSurvey.Witness, _ message: String) {
        guard findings.count < AuditVerification.mostFindings else { return }
        findings.append(AuditVerification.Finding(file: witness.place.file, line: witness.place.line, message: message))
    }
}

extension FleetAuditVerification.Log {
    fileprivate var extent: FleetChanges.Extent {
        FleetChanges.Extent(
            name: name, beginsLate: (verification.first ?? 0) > 0 ? verification.firstSeconds : nil,
            end: verification.lastSeconds ?? .min)
    }
}
