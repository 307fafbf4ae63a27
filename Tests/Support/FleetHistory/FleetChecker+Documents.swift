/// A JWT that was handed out verifies against the documents of every frontend that counts as fresh, until its `exp`.
///
/// Unseen: a document that nobody fetched; and one that was fetched while `/readyz` was asked for longer than the limit says, or
/// was unready before or after.
extension FleetChecker {
    /// What a kid's JWTs are, taken together.
    private struct Issued {
        /// In the order in which they came, with the latest `exp` of all up to there.
        var moments: [(received: Moment, latestExpiry: Moment)] = []
        var agents: Set<String> = []

        mutating func add(_ received: Moment, _ expiry: Moment) {
            moments.append((received, max(expiry, moments.last?.latestExpiry ?? expiry)))
        }

        /// The latest `exp` of those that had come by a moment.
        func latestExpiry(by moment: Moment) -> Moment? {
            var (low, high) = (0, moments.count)
            while low < high {
                let middle = (low + high) / 2
                if moments[middle].received <= moment { low = middle + 1 } else { high = middle }
            }
            return low > 0 ? moments[low - 1].latestExpiry : nil
        }
    }

    /// Each signature is genuine, is of a key that somebody showed, and is not given twice.
    func checkSignatures(_ report: inout CheckReport) async {
        for issuer in index.issuers {
            let known = knownKeys(issuer)
            let ends = promisedEnds(issuer)
            var identifiers: Set<String> = []
            for event in index.signatures[issuer] ?? [] {
                let signature = event.what
                report.look("signatures")
                if !identifiers.insert(signature.jti).inserted {
                    report.violations.append(
                        Violation(
                            rule: 2, kind: .sameJTI, text: "\(issuer) has handed out two JWTs with the jti \(signature.jti)",
                            at: event.end))
                }
                let jwks = known[signature.kid] ?? []
                if jwks.isEmpty { report.excuse("signatures by keys that nobody showed") }
                for jwk in jwks.sorted() where !(await verify(jwk, signature.jwt, signature.expiresAt)) {
                    report.violations.append(
                        Violation(
                            rule: 2, kind: .badSignature,
                            text:
                                "a JWT of \(issuer) by \(signature.agent) does not verify with its key \(signature.kid.prefix(8))",
                            at: event.end))
                }
                guard let end = ends[signature.kid], signature.expiresAt > end.seconds else { continue }
                report.violations.append(
                    Violation(
                        rule: 2, kind: .outlivesKey,
                        text:
                            "\(signature.agent) handed out at \(time(event.end)) a JWT of \(issuer) with an exp \(signature.expiresAt - end.seconds) s after the end of its key \(signature.kid.prefix(8)), as \(end.who) has it\(afflictions(of: signature.agent, at: event.end))",
                        at: event.end))
            }
        }
    }

    private func knownKeys(_ issuer: String) -> [String: Set<String>] {
        var known: [String: Set<String>] = [:]
        for fetches in (index.documents[issuer] ?? [:]).values {
            for id in Set(fetches.compactMap(\.what.keySet)) {
                for (kid, jwk) in index.keySets[id] ?? [:] { known[kid, default: []].insert(jwk) }
            }
        }
        for event in index.rings[issuer] ?? [] {
            for key in event.what.keys where !key.jwk.isEmpty {
                known[key.kid, default: []].insert(HistoryIndex.canonical(key.jwk))
            }
        }
        return known
    }

    /// When each key that retired is dropped from the documents, by whoever said so first: frontends do it by themselves then.
    private func promisedEnds(_ issuer: String) -> [String: (seconds: Int64, who: String)] {
        var ends: [String: (seconds: Int64, who: String)] = [:]
        func add(_ kid: String, _ seconds: Int64, _ who: String) {
            if let known = ends[kid], known.seconds <= seconds { return }
            ends[kid] = (seconds, who)
        }
        for event in index.changes[issuer] ?? [] {
            guard case .done(let reply) = event.what.outcome, let kid = reply.retiringKid, let end = reply.retiringUntil else {
                continue
            }
            add(kid, end, "\(event.what.agent)'s reply to \(event.what.kind.rawValue)")
        }
        for event in index.rings[issuer] ?? [] {
            for key in event.what.keys where key.state == "retiring" {
                if let end = key.expiresAt { add(key.kid, end, "\(event.what.agent)'s ring") }
            }
        }
        for event in index.commits[issuer] ?? [] {
            for key in event.what.keys where key.state == "retiring" {
                if let end = key.expiresAt { add(key.kid, end, "the store") }
            }
        }
        return ends
    }

    func checkDocuments(_ report: inout CheckReport) {
        for issuer in index.issuers {
            var issued: [String: Issued] = [:]
            for event in index.signatures[issuer] ?? [] {
                let expiry = moment(ofSeconds: event.what.expiresAt) - limits.clocks
                issued[event.what.kid, default: Issued()].add(event.end, expiry)
                issued[event.what.kid]?.agents.insert(event.what.agent)
            }
            for (frontend, fetches) in (index.documents[issuer] ?? [:]).sorted(by: { $0.key < $1.key }) {
                checkFetches(issuer, frontend, fetches, issued, &report)
                checkOrder(issuer, frontend, fetches, &report)
            }
        }
    }

    private func checkFetches(
        _ issuer: String, _ frontend: String, _ fetches: [HistoryIndex.At<DocumentFetch>], _ issued: [String: Issued],
        _ report: inout CheckReport
    ) {
        let revocations = Revocations(index, issuer)
        var served: Set<String> = []
        var told: Set<String> = []
        for fetch in fetches {
            let published = Set(index.kids(fetch.what).keys)
            defer { served.formUnion(published) }
            guard fetch.what.isFresh, fetch.end - fetch.begin <= limits.fetch else {
                report.excuse("fetches from a frontend that is not fresh")
                continue
            }
            // Of an issuer whose profile is disabled or that is gone there is no document to verify against.
            guard fetch.what.status == 200 else {
                report.excuse("fetches without a document")
                continue
            }
            report.look("documents")
            for (kid, jwts) in issued where !published.contains(kid) {
                guard let expiry = jwts.latestExpiry(by: fetch.begin), expiry > fetch.end else { continue }
                if revocations.mayHaveRevoked(kid, by: fetch.end) {
                    report.excuse("missing keys that were revoked")
                    continue
                }
                let isGone = served.contains(kid)
                if !isGone, let why = saidToBeLate(kid, issuer, at: fetch.begin) {
                    report.excuse(why)
                    continue
                }
                guard told.insert(kid).inserted else { continue }
                let agents = jwts.agents.sorted().joined(separator: ", ")
                report.violations.append(
                    Violation(
                        rule: 2, kind: isGone ? .keyGone : .notServedYet,
                        text:
                            "\(frontend) counted as fresh at \(time(fetch.begin)) and \(isGone ? "no longer served" : "did not serve yet") \(kid.prefix(8)) of \(issuer), by which \(agents) had handed out JWTs",
                        at: fetch.begin))
            }
        }
    }

    /// A frontend's documents never go back: a key that went does not come again.
    private func checkOrder(
        _ issuer: String, _ frontend: String, _ fetches: [HistoryIndex.At<DocumentFetch>], _ report: inout CheckReport
    ) {
        var (before, gone) = (Set<String>(), Set<String>())
        for fetch in fetches where fetch.what.status == 200 {
            let published = Set(index.kids(fetch.what).keys)
            for kid in published.intersection(gone) {
                gone.remove(kid)
                report.violations.append(
                    Violation(
                        rule: 2, kind: .frontendWentBack,
                        text: "\(frontend) serves \(kid.prefix(8)) of \(issuer) again at \(time(fetch.begin))", at: fetch.begin))
            }
            gone.formUnion(before.subtracting(published))
            before = published
        }
    }

    /// Whether a reply said that a key signs before everybody has it, or no reply came that could have said so.
    private func saidToBeLate(_ kid: String, _ issuer: String, at moment: Moment) -> String? {
        let changes = index.changes[issuer] ?? []
        for event in changes {
            guard case .done(let reply) = event.what.outcome, reply.activeKid == kid else { continue }
            var until = event.end + Int64(reply.exposureSeconds) * Nanoseconds.second
            // Who had not answered in time is waited for until it counts as stale.
            if let publication = reply.publication, publication != "published" { until = event.end + limits.staleAfter }
            if moment <= until { return "fresh keys whose reply says that not everybody has them" }
        }
        for recovery in index.recoveries where recovery.what.issuers.contains(where: { $0.name == issuer && $0.activeKid == kid })
        {
            if moment <= recovery.end + limits.staleAfter { return "fresh keys of a recovery, which waits for no frontend" }
        }
        let isAnswered = changes.contains { event in
            if case .done(let reply) = event.what.outcome { reply.activeKid == kid } else { false }
        }
        let mayBeUnanswered = changes.contains { event in
            if case .unknown = event.what.outcome {
                event.begin <= moment && moment <= event.end + limits.staleAfter
            } else {
                false
            }
        }
        return !isAnswered && mayBeUnanswered ? "fresh keys of a change that was never answered" : nil
    }
}

/// Which keys of an issuer may have been revoked by when, as far as anybody asked for it.
struct Revocations: Sendable {
    /// Since when, by kid.
    private var asked: [String: Moment] = [:]
    /// Since when any key of the issuer: a change that was never answered may have revoked whatever was retiring, or all.
    private var any: Moment?
    /// What agents showed of each key, in the order in which they were asked.
    private var shown: [String: [(at: Moment, state: String)]] = [:]
    /// When each change was asked for and answered.
    private var changes: [(begin: Moment, end: Moment)] = []

    init(_ index: HistoryIndex, _ issuer: String) {
        var unanswered: [(kid: String, begin: Moment)] = []
        for event in index.changes[issuer] ?? [] {
            switch event.what.outcome {
            case .done(let reply):
                for kid in reply.revoked { since(kid, event.begin) }
                if event.what.kind == .delete { any = min(any ?? event.begin, event.begin) }
            case .unknown:
                if event.what.kind == .revoke, let kid = event.what.kid {
                    since(kid, event.begin)
                    unanswered.append((kid, event.begin))
                } else if event.what.kind == .delete || event.what.kind == .rotate && !event.what.isGentle {
                    any = min(any ?? event.begin, event.begin)
                }
            case .refused: break
            }
        }
        for recovery in index.recoveries {
            for kid in recovery.what.issuers.filter({ $0.name == issuer }).flatMap(\.revoked) { since(kid, recovery.begin) }
        }
        changes = (index.changes[issuer] ?? []).map { event in
            switch event.what.outcome {
            // One that is refused in the end may have published a key at its beginning, in place of the standby key.
            case .done, .refused: (event.begin, event.end)
            case .unknown: (event.begin, .max)
            }
        }
        for event in index.rings[issuer] ?? [] {
            for key in event.what.keys { shown[key.kid, default: []].append((event.begin, key.state)) }
        }
        for kid in shown.keys { shown[kid]?.sort { $0.at < $1.at } }
        var states = shown
        for event in index.commits[issuer] ?? [] {
            for key in event.what.keys { states[key.kid, default: []].append((event.begin, key.state)) }
        }
        // That of a standby or retiring key is a second rotation.
        for (kid, begin) in unanswered {
            let last = (states[kid] ?? []).filter { $0.at <= begin }.max { $0.at < $1.at }
            if let last, last.state == "standby" || last.state == "retiring" { any = min(any ?? begin, begin) }
        }
    }

    /// Whether anybody had the issuer changed at some time between two moments.
    func isChangeUnderWay(from begin: Moment, to end: Moment) -> Bool {
        changes.contains { $0.begin <= end && $0.end >= begin }
    }

    private mutating func since(_ kid: String, _ moment: Moment) { asked[kid] = min(asked[kid] ?? moment, moment) }

    /// Whether somebody may have had it revoked: by name, or by a change of which nobody knows whether it was made, unless an
    /// agent showed afterwards that it was not.
    func mayHaveRevoked(_ kid: String, by moment: Moment) -> Bool {
        if let since = asked[kid], since <= moment { return true }
        guard let any, any <= moment else { return false }
        guard let last = shown[kid]?.last, last.at > moment else { return true }
        return last.state == "revoked"
    }
}
