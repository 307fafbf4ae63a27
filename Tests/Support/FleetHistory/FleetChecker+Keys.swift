/// Revocations settle; no key is lost, left over or revoked without anybody's asking; nothing is published that the token has not.
extension FleetChecker {
    /// Once a reply says settled, no agent hands out a JWT by the revoked key.
    ///
    /// Unseen: what is handed out within the slack after the reply, to a request that was sent before it.
    func checkRevocations(_ report: inout CheckReport) {
        for issuer in index.issuers {
            var revoked: [String: [(at: Moment, settlement: Settlement?, agent: String)]] = [:]
            for event in index.changes[issuer] ?? [] {
                guard case .done(let reply) = event.what.outcome else { continue }
                for kid in reply.revoked {
                    report.look("revoked keys")
                    revoked[kid, default: []].append((event.end, reply.settlement, event.what.agent))
                }
            }
            for recovery in index.recoveries {
                for kid in recovery.what.issuers.filter({ $0.name == issuer }).flatMap(\.revoked) {
                    report.look("revoked keys")
                    revoked[kid, default: []].append((recovery.end, nil, "an operator's recovery"))
                }
            }
            guard !revoked.isEmpty else { continue }
            for event in index.signatures[issuer] ?? [] {
                let signature = event.what
                for reply in revoked[signature.kid] ?? [] {
                    guard handedOut(asked: event.begin, read: event.end) > reply.at else { continue }
                    guard reply.settlement?.covers(signature.agent, repliedBy: reply.agent) ?? true else {
                        report.excuse("signatures by revoked keys whose reply says that the agent was not waited for")
                        continue
                    }
                    report.violations.append(
                        Violation(
                            rule: 3, kind: .signedAfterRevocation,
                            text:
                                "\(signature.agent) handed out a JWT of \(issuer) by \(signature.kid.prefix(8)) at \(time(event.end)), which was revoked: \(reply.agent) had said settled at \(time(reply.at))\(afflictions(of: signature.agent, at: event.end))",
                            at: event.end))
                    break
                }
            }
        }
    }

    func checkKeys(_ report: inout CheckReport) {
        checkUnasked(&report)
        for event in index.inventories {
            // A store that was put back names keys that have been destroyed since.
            guard !index.recoveries.contains(where: { $0.begin <= event.end && event.begin <= $0.end }) else { continue }
            report.look("inventories")
            let inventory = event.what
            let live = Set(inventory.live.map(\.keyID))
            let lost = inventory.live.filter { !inventory.privateKeys.contains($0.keyID) }
            // SoftHSM, used by several processes at once, now and then writes a key without its CKA_ID, and says that it made it.
            if inventory.aside != nil, lost.count <= inventory.nameless {
                if !lost.isEmpty { report.excuse("keys that the token wrote without their CKA_ID", lost.count) }
            } else {
                for key in lost {
                    report.violations.append(
                        Violation(
                            rule: 5, kind: .keyLost,
                            text: "the published key \(key.kid.prefix(8)) (\(key.keyID)) is not on the token", at: event.end))
                }
            }
            guard inventory.isSettled else { continue }
            let rest = inventory.privateKeys.subtracting(live).subtracting(inventory.aside ?? [])
            for keyID in rest.sorted() {
                let why = inventory.pending.contains(keyID) ? "is still waiting for its end" : "no record explains"
                report.violations.append(
                    Violation(
                        rule: 5, kind: .keyLeftOver, text: "the private key \(keyID) on the token \(why)", at: event.end))
            }
            if inventory.nameless > 0, inventory.aside == nil {
                report.violations.append(
                    Violation(
                        rule: 5, kind: .keyLeftOver, text: "\(inventory.nameless) private keys on the token have no CKA_ID",
                        at: event.end))
            }
        }
    }

    /// Nobody's key is revoked because two changes of it met.
    private func checkUnasked(_ report: inout CheckReport) {
        for issuer in index.issuers {
            let revocations = Revocations(index, issuer)
            // A standby key that a rotation discards is nobody's loss, and one that had to be planned again does not name it.
            let used = Set((index.signatures[issuer] ?? []).map(\.what.kid)).union(index.generations(of: issuer).highest.keys)
            var told: Set<String> = []
            for event in index.rings[issuer] ?? [] {
                for key in event.what.keys where key.state == "revoked" {
                    guard !revocations.mayHaveRevoked(key.kid, by: event.end), told.insert(key.kid).inserted else { continue }
                    if !used.contains(key.kid), revocations.isChangeUnderWay(from: lastStandby(key.kid, event), to: event.end) {
                        report.excuse("discarded standby keys that no reply names")
                        continue
                    }
                    report.violations.append(
                        Violation(
                            rule: 5, kind: .revokedUnasked,
                            text:
                                "\(event.what.agent) shows \(key.kid.prefix(8)) of \(issuer) as revoked, and no reply revoked it",
                            at: event.end))
                }
            }
        }
    }

    /// When a key was last seen as a standby key before an agent showed it as ended.
    private func lastStandby(_ kid: String, _ ended: HistoryIndex.At<Ring>) -> Moment {
        let shown = (index.rings[ended.what.issuer] ?? []).filter { event in
            event.end <= ended.begin && event.what.keys.contains { $0.kid == kid && $0.state == "standby" }
        }.map(\.begin).max()
        let committed = (index.commits[ended.what.issuer] ?? []).filter { event in
            event.begin <= ended.begin && event.what.keys.contains { $0.kid == kid && $0.state == "standby" }
        }.map(\.begin).max()
        return max(shown ?? index.start, committed ?? index.start)
    }

    /// What a frontend serves, the token has.
    ///
    /// Unseen: a key that was published and destroyed again between two looks, which is counted as unproven.
    func checkPublished(_ report: inout CheckReport) {
        for issuer in index.issuers {
            var proven: Set<String> = []
            for event in index.signatures[issuer] ?? [] { proven.insert(event.what.kid) }
            for event in index.rings[issuer] ?? [] { proven.formUnion(event.what.keys.filter(\.isHeld).map(\.kid)) }
            for inventory in index.inventories {
                proven.formUnion(inventory.what.live.filter { inventory.what.privateKeys.contains($0.keyID) }.map(\.kid))
            }
            var told: Set<String> = []
            for (frontend, fetches) in (index.documents[issuer] ?? [:]).sorted(by: { $0.key < $1.key }) {
                for fetch in fetches {
                    for kid in index.kids(fetch.what).keys.sorted() where told.insert(kid).inserted {
                        report.look("published keys")
                        if index.foreignKids.contains(kid) {
                            report.violations.append(
                                Violation(
                                    rule: 6, kind: .foreignKeyPublished,
                                    text: "\(frontend) serves \(kid.prefix(8)) of \(issuer), which somebody wrote into the store",
                                    at: fetch.begin))
                        } else if !proven.contains(kid) {
                            report.excuse("published keys that nobody saw on the token")
                        }
                    }
                }
                checkLast(issuer, frontend, fetches.last, &report)
            }
        }
    }

    /// What is served at the end is on the token at the end.
    private func checkLast(
        _ issuer: String, _ frontend: String, _ fetch: HistoryIndex.At<DocumentFetch>?, _ report: inout CheckReport
    ) {
        guard let fetch, fetch.what.isFresh, let inventory = index.inventories.last, fetch.begin > inventory.begin else { return }
        let held = Set(inventory.what.live.filter { inventory.what.privateKeys.contains($0.keyID) }.map(\.kid))
        report.look("last documents")
        for kid in index.kids(fetch.what).keys.sorted() where !held.contains(kid) {
            report.violations.append(
                Violation(
                    rule: 6, kind: .publishedWithoutToken,
                    text: "\(frontend) serves \(kid.prefix(8)) of \(issuer) at the end, which the token does not hold",
                    at: fetch.begin))
        }
    }
}
