/// The store's own log: every state that an issuer has had, whether anybody asked for it or not.
///
/// No document holds a key that no commit has published, and none goes on with one that a commit has dropped for longer than its
/// frontend counts as fresh: what nobody fetched is seen here.
///
/// Unseen: commits of which the store's log was lost, which are counted as such.
extension FleetChecker {
    func checkCommits(_ report: inout CheckReport) {
        for issuer in index.issuers {
            var before: HistoryIndex.At<Commit>?
            let drops = Drops(index, issuer)
            for event in index.commits[issuer] ?? [] {
                report.look("commits")
                checkOrder(event, after: before, &report)
                checkActive(event, &report)
                if let before, isSameEra(before, event) {
                    for key in before.what.keys where !event.what.keys.contains(where: { $0.kid == key.kid }) {
                        checkDropped(key, event, since: before, drops, &report)
                    }
                }
                before = event
            }
        }
    }

    /// A store that was put back says nothing of what became of what it had.
    private func isSameEra(_ one: HistoryIndex.At<Commit>, _ other: HistoryIndex.At<Commit>) -> Bool {
        !index.recoveries.contains { one.end < $0.begin && $0.begin <= other.end }
    }

    /// Nothing is signed by what a store says that was put back, before an operator has decided about it.
    func checkDoubts(_ report: inout CheckReport) {
        for recovery in index.recoveries {
            report.look("recoveries")
            for issuer in index.issuers {
                for event in index.signatures[issuer] ?? []
                where event.begin > recovery.what.doubtedFrom && event.end <= recovery.what.until {
                    report.violations.append(
                        Violation(
                            rule: 4, kind: .signedInDoubt,
                            text:
                                "\(event.what.agent) signed for \(issuer) at \(time(event.end)), and the store had been put back at \(time(recovery.begin))",
                            at: event.end))
                }
            }
        }
    }

    private func checkOrder(
        _ event: HistoryIndex.At<Commit>, after before: HistoryIndex.At<Commit>?, _ report: inout CheckReport
    ) {
        guard let before, let (last, now) = both(before.what.generation, event.what.generation) else { return }
        if now < last {
            report.violations.append(
                Violation(
                    rule: 1, kind: .storeWentBack,
                    text: "the store has \(event.what.issuer) at generation \(now) after \(last)", at: event.end))
        } else if now == last, Set(before.what.keys.map(\.kid)) != Set(event.what.keys.map(\.kid)) {
            report.violations.append(
                Violation(
                    rule: 1, kind: .generationReused,
                    text: "the store has two sets of keys of \(event.what.issuer) at generation \(now)", at: event.end))
        }
    }

    private func both(_ one: Int?, _ other: Int?) -> (Int, Int)? {
        guard let one, let other else { return nil }
        return (one, other)
    }

    private func checkActive(_ event: HistoryIndex.At<Commit>, _ report: inout CheckReport) {
        guard let generation = event.what.generation else { return }
        let states = event.what.keys.map(\.state)
        guard states.count(where: { $0 == "active" }) != 1 || Set(states).count != states.count else { return }
        report.violations.append(
            Violation(
                rule: 1, kind: .badRing,
                text:
                    "the store has \(event.what.issuer) at generation \(generation) with keys that are \(states.sorted().joined(separator: ", "))",
                at: event.end))
    }

    /// A key that is not published any more: its time is over, or somebody had it revoked.
    private func checkDropped(
        _ key: Commit.Key, _ event: HistoryIndex.At<Commit>, since before: HistoryIndex.At<Commit>, _ drops: Drops,
        _ report: inout CheckReport
    ) {
        let issuer = event.what.issuer
        report.look("keys dropped by a commit")
        if drops.revocations.mayHaveRevoked(key.kid, by: event.end) {
            return report.excuse("keys dropped because they were revoked")
        }
        if key.state == "standby" {
            // A rotation that had to be planned again does not name what its tries have discarded.
            if drops.revocations.isChangeUnderWay(from: event.begin - Nanoseconds.second, to: event.end) {
                return report.excuse("standby keys dropped by a change that does not name them")
            }
            report.violations.append(
                Violation(
                    rule: 5, kind: .revokedUnasked,
                    text:
                        "the standby key \(key.kid.prefix(8)) of \(issuer) was dropped by a commit read at \(time(event.end)), and nobody had anything changed",
                    at: event.end))
            return
        }
        guard let expiry = drops.latestExpiry[key.kid], moment(ofSeconds: expiry) - limits.clocks > event.end else { return }
        report.violations.append(
            Violation(
                rule: 2, kind: .droppedEarly,
                text:
                    "\(key.kid.prefix(8)) of \(issuer) was \(key.state), and a commit read at \(time(event.end)) dropped it \((moment(ofSeconds: expiry) - event.end) / Nanoseconds.second) s before the last JWT by it ends",
                at: event.end))
    }

    /// What a dropped key is judged by.
    private struct Drops {
        let revocations: Revocations
        /// By kid: of every JWT, whenever it was handed out, in seconds since 1970.
        var latestExpiry: [String: Int64] = [:]

        init(_ index: HistoryIndex, _ issuer: String) {
            revocations = Revocations(index, issuer)
            for event in index.signatures[issuer] ?? [] {
                latestExpiry[event.what.kid] = max(latestExpiry[event.what.kid] ?? 0, event.what.expiresAt)
            }
        }
    }
}
