/// The changes that the logs of a fleet have, against what must be so: each generation of an issuer was made once, and none is missing.
struct FleetChanges: Sendable {
    /// What of a log's beginning and end is known, in seconds since 1970.
    struct Extent: Sendable {
        let name: String
        /// When its first record was made, if there were any before it.
        let beginsLate: Int64?
        let end: Int64
    }

    /// What was found.
    struct Outcome: Sendable {
        var findings: [AuditVerification.Finding] = []
        var doubts: [AuditVerification.Doubt] = []
        var remarks: [String] = []
        /// Changes that stand as made.
        var made = 0
        var issuers: Set<String> = []
    }

    /// Seconds by which the clocks of two agents may differ.
    private static let tolerance: Int64 = 60
    /// Generations that may be missing one after the other before none of them is looked for by itself.
    private static let mostByThemselves = 1_000

    /// What is made once: a generation, or the end of one.
    private struct Deed: Hashable {
        let issuer: String
        let generation: Int
        let isDeletion: Bool

        var text: String {
            isDeletion ? "the deletion of \(issuer) at generation \(generation)" : "generation \(generation) of \(issuer)"
        }
    }

    private struct Entry {
        let log: Int
        let record: AuditSurvey.Change

        var place: AuditSurvey.Place { record.place }

        /// In one log by number; by the clocks in two, since no agent runs while an operator decides.
        func isBefore(_ other: Entry) -> Bool {
            log == other.log ? place.seq < other.place.seq : place.seconds <= other.place.seconds
        }
    }

    /// What one agent has begun and may not have made.
    private struct Try {
        let entry: Entry
        /// Times that it has not learned what came of it.
        var open = 0
    }

    /// The same issuer between two decisions of an operator about the whole store.
    private struct Life: Hashable {
        let number: Int
        let issuer: String
    }

    private let extents: [Extent]
    /// Agents whose log was not given.
    private let absent: [String]
    private var outcome = Outcome()
    private var made: [Life: [Deed: Entry]] = [:]
    /// What was begun, by the log that says so.
    private var tries: [Life: [Deed: [Int: Try]]] = [:]

    /// - Parameters:
    ///   - logs: the changes of each.
    ///   - extents: of each log.
    ///   - absent: agents whose log was not given.
    static func judge(_ logs: [[AuditSurvey.Change]], _ extents: [Extent], absent: [String]) -> Outcome {
        var changes = FleetChanges(extents: extents, absent: absent)
        changes.take(logs)
        changes.judge()
        return changes.outcome
    }

    private init(extents: [Extent], absent: [String]) {
        (self.extents, self.absent) = (extents, absent)
    }

    // MARK: - Taking

    private mutating func take(_ logs: [[AuditSurvey.Change]]) {
        var entries: [Entry] = []
        for (log, changes) in logs.enumerated() { entries += changes.map { Entry(log: log, record: $0) } }
        let decisions = entries.filter { $0.record.change.step == .settling }
        var byRevision: [Int: [Int64: Entry]] = [:]
        for entry in entries {
            let change = entry.record.change
            guard let issuer = change.issuer, let generation = change.generation else { continue }
            let number = decisions.count { $0.isBefore(entry) }
            let life = Life(number: number, issuer: issuer)
            let deed = Deed(issuer: issuer, generation: generation, isDeletion: change.isDeletion)
            guard change.step == .made else {
                var own = tries[life]?[deed]?[entry.log] ?? Try(entry: entry)
                if change.step == .begun { own.open += 1 }
                if change.step == .lost { own.open -= 1 }
                tries[life, default: [:]][deed, default: [:]][entry.log] = own
                continue
            }
            outcome.made += 1
            outcome.issuers.insert(issuer)
            if let other = made[life]?[deed] {
                find(
                    entry, "\(deed.text) stands as made in two places, here and in \(other.place)\(Self.revisions(other, entry))")
                continue
            }
            made[life, default: [:]][deed] = entry
            guard let revision = change.revision else { continue }
            if let other = byRevision[number]?[revision], other.log != entry.log {
                find(entry, "revision \(revision) of the store stands in two logs, here and in \(other.place)")
            }
            byRevision[number, default: [:]][revision] = entry
        }
    }

    private static func revisions(_ one: Entry, _ other: Entry) -> String {
        guard let first = one.record.change.revision, let second = other.record.change.revision else { return "" }
        return first == second ? ", with revision \(first)" : ", with the revisions \(second) and \(first)"
    }

    // MARK: - Judging

    private mutating func judge() {
        for life in made.keys.sorted(by: { ($0.issuer, $0.number) < ($1.issuer, $1.number) }) { judge(life) }
    }

    private mutating func judge(_ life: Life) {
        let entries = (made[life] ?? [:]).filter { !$0.key.isDeletion }.map { (generation: $0.key.generation, entry: $0.value) }
            .sorted { $0.generation < $1.generation }
        for (before, next) in zip(entries, entries.dropFirst()) {
            if next.generation > before.generation + 1 {
                judgeMissing(before.generation + 1...next.generation - 1, life, after: before.entry, before: next.entry)
            }
            if next.generation == before.generation + 1, next.entry.record.change.isCreation {
                let deed = Deed(issuer: life.issuer, generation: before.generation, isDeletion: true)
                if made[life]?[deed] == nil { judgeMissing([deed], life, after: before.entry, before: next.entry) }
            }
            guard let former = before.entry.record.change.revision, let revision = next.entry.record.change.revision,
                revision <= former
            else { continue }
            find(
                next.entry,
                "generation \(next.generation) of \(life.issuer) has revision \(revision), and the generation before it "
                    + "(\(before.entry.place)) has \(former)")
        }
    }

    private mutating func judgeMissing(_ generations: ClosedRange<Int>, _ life: Life, after before: Entry, before next: Entry) {
        guard generations.count <= Self.mostByThemselves else {
            return find(
                next, "generations \(generations.lowerBound) to \(generations.upperBound) of \(life.issuer) stand in no log")
        }
        judgeMissing(
            generations.map { Deed(issuer: life.issuer, generation: $0, isDeletion: false) }, life, after: before, before: next)
    }

    private mutating func judgeMissing(_ deeds: [Deed], _ life: Life, after before: Entry, before next: Entry) {
        var missing: [Deed] = []
        for deed in deeds {
            let tries = (tries[life]?[deed] ?? [:]).sorted { $0.key < $1.key }.map(\.value)
            if let open = tries.first(where: { $0.open > 0 })?.entry {
                outcome.remarks.append(
                    "\(deed.text) was begun by \(extents[open.log].name) (\(open.place)), which did not learn what came of it; it was made"
                )
            } else if let lost = tries.first?.entry {
                outcome.doubts.append(
                    AuditVerification.Doubt(
                        message:
                            "\(deed.text) stands in no log as made; \(extents[lost.log].name) has tried it (\(lost.place)) and "
                            + "lost it to another agent",
                        hint: "see the logs of the agents around that time: the one that made it may not have recorded it"))
            } else {
                missing.append(deed)
            }
        }
        guard let first = missing.first, let last = missing.last else { return }
        let what =
            missing.count == 1
            ? "\(first.text) stands in no log"
            : "generations \(first.generation) to \(last.generation) of \(life.issuer) stand in no log"
        let time = "it was made between \(before.place.time) (\(before.place)) and \(next.place.time) (\(next.place))"
        if let (why, hint) = excuse(from: before.place.seconds, to: next.place.seconds) {
            outcome.doubts.append(AuditVerification.Doubt(message: "\(what); \(time), and \(why)", hint: hint))
        } else {
            find(next, "\(what); \(time)")
        }
    }

    /// Why what was made in that time may stand in what was not given.
    private func excuse(from start: Int64, to end: Int64) -> (why: String, hint: String)? {
        if let agent = absent.first { return ("the log of agent \(agent) was not given", "give the log of agent \(agent) too") }
        if let late = extents.first(where: { $0.beginsLate.map { $0 >= start - Self.tolerance } ?? false }) {
            return ("what was given of \(late.name) begins later", "give the earlier files of \(late.name), if there are any")
        }
        if let early = extents.first(where: { $0.end <= end + Self.tolerance }) {
            return (
                "what was given of \(early.name) ends earlier",
                "give the newest file of \(early.name), copied after those of the others; if it has no more, its end is lost"
            )
        }
        return nil
    }

    private mutating func find(_ entry: Entry, _ message: String) {
        guard outcome.findings.count < AuditVerification.mostFindings else { return }
        outcome.findings.append(AuditVerification.Finding(file: entry.place.file, line: entry.place.line, message: message))
    }
}
