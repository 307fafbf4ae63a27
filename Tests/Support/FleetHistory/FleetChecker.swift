import RelyingParty

/// Looks at a finished history for what must not be in it.
///
/// It knows of each request when it was sent and when its answer was read, and no more. What may have happened in either order
/// is no violation. Where that leaves something unseen, it is said beside the rule.
package struct FleetChecker: Sendable {
    /// Whether a JWT verifies with one key of a key set, the time apart.
    package typealias Verify = @Sendable (_ jwk: String, _ jwt: String, _ expiresAt: Int64) async -> Bool

    package struct Limits: Sendable {
        /// How long an answer that an agent has handed over may lie unread where nothing was kept waiting; where something was, twice as
        /// long as that in addition. What was handed out less than that after a reply, by a request that was sent before it, goes unseen.
        package var slack: Int64 = 300_000_000
        /// How far a document's moment may be from the clocks that JWTs are judged by.
        package var clocks: Int64 = 2 * Nanoseconds.second
        /// After this long without a confirmation a frontend counts as stale.
        package var staleAfter: Int64 = 120 * Nanoseconds.second
        /// The longest that a fetch with both looks at `/readyz` may take for the frontend to count as fresh throughout.
        package var fetch: Int64 = 2 * Nanoseconds.second

        package init() {}
    }

    let history: History
    let limits: Limits
    let verify: Verify
    let index: HistoryIndex

    package init(_ history: History, limits: Limits = Limits(), verify: @escaping Verify = FleetChecker.asRelyingParty) {
        (self.history, self.limits, self.verify) = (history, limits, verify)
        index = HistoryIndex(history)
    }

    package func check() async -> CheckReport {
        var report = CheckReport()
        checkRings(&report)
        checkCommits(&report)
        checkDoubts(&report)
        checkSigners(&report)
        await checkSignatures(&report)
        checkDocuments(&report)
        checkRevocations(&report)
        checkKeys(&report)
        checkPublished(&report)
        report.violations.sort { ($0.at, $0.rule) < ($1.at, $1.rule) }
        return report
    }

    /// By jwt-kit, which is not what signed it.
    package static func asRelyingParty(jwk: String, jwt: String, expiresAt: Int64) async -> Bool {
        guard let verifier = try? await JWTVerifier(keySet: Array(#"{"keys":[\#(jwk)]}"#.utf8)) else { return false }
        return (try? verifier.verify(jwt, now: Double(expiresAt) - 1)) != nil
    }

    /// Since when an answer may have lain there that was read at a moment, to a request that was sent at another: what was slow then, was
    /// slow for answers too.
    func handedOut(asked begin: Moment, read end: Moment) -> Moment {
        var slack = limits.slack
        while end - slack > begin {
            let longer = limits.slack + 2 * index.longestLag(from: end - slack, to: end)
            if longer <= slack { break }
            slack = longer
        }
        return max(begin, end - slack)
    }

    /// When a time since 1970 is.
    func moment(ofSeconds seconds: Int64) -> Moment { seconds * Nanoseconds.second - history.wallOffset }

    /// Seconds since the first event, for people.
    func time(_ moment: Moment) -> String {
        let tenths = (moment - index.start) / 100_000_000
        return "\(tenths / 10).\(tenths % 10) s"
    }

    /// What had been done to an agent shortly before, so that what came of it is the fourth rule's as well.
    func afflictions(of agent: String, at moment: Moment) -> String {
        let names = index.deeds.filter { deed in
            deed.what.targets.contains(agent) && deed.begin <= moment && deed.begin > moment - 120 * Nanoseconds.second
        }
        return names.isEmpty ? "" : " (" + names.map { "\($0.what.name) at \(time($0.begin))" }.joined(separator: ", ") + ")"
    }
}
