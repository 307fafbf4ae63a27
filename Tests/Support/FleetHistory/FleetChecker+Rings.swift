/// One active key in a ring at each generation, changed by one commit at a time.
extension FleetChecker {
    func checkRings(_ report: inout CheckReport) {
        for issuer in index.issuers {
            checkGenerations(issuer, &report)
            checkShownRings(issuer, &report)
            checkWinners(issuer, &report)
        }
    }

    private func checkGenerations(_ issuer: String, _ report: inout CheckReport) {
        let generations = index.generations(of: issuer)
        var before: String?
        var former: Set<String> = []
        for (generation, kids) in generations.active.sorted(by: { $0.key < $1.key }) {
            report.look("generations")
            if kids.count > 1 {
                let named = kids.sorted { $0.key < $1.key }.map { "\($0.key.prefix(8)) (\($0.value))" }.joined(separator: ", ")
                report.violations.append(
                    Violation(
                        rule: 1, kind: .twoActiveKeys, text: "\(issuer) has at generation \(generation) the active keys \(named)",
                        at: index.start))
            }
            guard let kid = kids.keys.sorted().first else { continue }
            if former.contains(kid) {
                report.violations.append(
                    Violation(
                        rule: 1, kind: .keyCameBack,
                        text: "\(issuer) has \(kid.prefix(8)) active again at generation \(generation)", at: index.start))
            }
            if let before, before != kid { former.insert(before) }
            before = kid
        }
    }

    private func checkShownRings(_ issuer: String, _ report: inout CheckReport) {
        // What is published, by generation, as it was first shown.
        var shown: [Int: (keys: [String: String], agent: String)] = [:]
        for event in index.commits[issuer] ?? [] {
            guard let generation = event.what.generation else { continue }
            shown[generation] = (Dictionary(event.what.keys.map { ($0.kid, $0.state) }) { first, _ in first }, "the store")
        }
        for event in index.rings[issuer] ?? [] {
            report.look("rings")
            let ring = event.what
            let published = ring.keys.filter { ["standby", "active", "retiring"].contains($0.state) }
            let keys = Dictionary(published.map { ($0.kid, $0.state) }) { first, _ in first }
            let first = shown[ring.generation] ?? (keys, ring.agent)
            shown[ring.generation] = first
            if first.keys != keys {
                report.violations.append(
                    Violation(
                        rule: 1, kind: .ringsDiffer,
                        text:
                            "\(issuer) at generation \(ring.generation) is \(Self.text(first.keys)) to \(first.agent) and \(Self.text(keys)) to \(ring.agent)",
                        at: event.end))
            }
            let active = ring.keys.filter { $0.state == "active" }.map(\.kid)
            let isGood =
                active == [ring.activeKid] && ring.keys.count { $0.state == "retiring" } <= 1
                && ring.keys.count { $0.state == "standby" } <= 1
            if !isGood {
                let states = Self.text(keys)
                report.violations.append(
                    Violation(
                        rule: 1, kind: .badRing,
                        text: "\(ring.agent) shows of \(issuer) at generation \(ring.generation): \(states)", at: event.end))
            }
        }
    }

    private static func text(_ keys: [String: String]) -> String {
        keys.sorted { $0.key < $1.key }.map { "\($0.key.prefix(8)) \($0.value)" }.joined(separator: ", ")
    }

    /// Of changes that were asked for on the same condition, one is made.
    private func checkWinners(_ issuer: String, _ report: inout CheckReport) {
        var winners: [Int: (generation: Int, activeKid: String, agent: String)] = [:]
        for event in index.changes[issuer] ?? [] {
            guard let condition = event.what.ifGeneration, event.what.kind == .rotate,
                case .done(let reply) = event.what.outcome, let generation = reply.generation, let kid = reply.activeKid
            else { continue }
            report.look("conditional changes")
            let mine = (generation, kid, event.what.agent)
            guard let first = winners[condition] else {
                winners[condition] = mine
                continue
            }
            if first.generation != generation || first.activeKid != kid {
                report.violations.append(
                    Violation(
                        rule: 1, kind: .twoWinners,
                        text:
                            "\(first.agent) and \(mine.2) have both rotated \(issuer) from generation \(condition), to \(first.generation) \(first.activeKid.prefix(8)) and to \(generation) \(kid.prefix(8))",
                        at: event.end))
            }
        }
    }

    /// Who signs with what: with no key ahead of its time, with none that an agent had left behind, with none that a settled
    /// rotation had replaced.
    ///
    /// Unseen: what an agent hands out within the slack after a settled rotation's reply to a request sent before; and a kid
    /// of which no reply and no ring ever told the generation.
    func checkSigners(_ report: inout CheckReport) {
        for issuer in index.issuers {
            let generations = index.generations(of: issuer)
            let signatures = index.signatures[issuer] ?? []
            checkAhead(issuer, signatures, &report)
            let words = wordsOfAgents(issuer)
            let rotations = settledGenerations(issuer)
            var told: Set<String> = []
            for event in signatures {
                let signature = event.what
                guard let highest = generations.highest[signature.kid] else {
                    report.excuse("signatures by keys of unknown generation")
                    continue
                }
                report.look("signers")
                if let seen = words[signature.agent]?.latest(before: event.begin), seen > highest,
                    told.insert("back \(signature.agent) \(signature.kid)").inserted
                {
                    report.violations.append(
                        Violation(
                            rule: 1, kind: .agentWentBack,
                            text:
                                "\(signature.agent) had shown generation \(seen) of \(issuer) before it was asked, and signed at \(time(event.end)) with \(signature.kid.prefix(8)), of \(highest) at most\(afflictions(of: signature.agent, at: event.end))",
                            at: event.end))
                }
                // Asked after the reply, or handed out after it all the same.
                let handedOut = handedOut(asked: event.begin, read: event.end)
                if let settled = rotations[signature.agent]?.latest(before: handedOut), settled > highest,
                    told.insert("old \(signature.agent) \(signature.kid)").inserted
                {
                    report.violations.append(
                        Violation(
                            rule: 1, kind: .oldKeyAfterRotation,
                            text:
                                "\(signature.agent) signed for \(issuer) at \(time(event.end)) with \(signature.kid.prefix(8)), which generation \(settled) had replaced, as a settled reply said before\(afflictions(of: signature.agent, at: event.end))",
                            at: event.end))
                }
            }
        }
    }

    /// A key that has signed before anybody saw it as a standby key signed too early.
    private func checkAhead(
        _ issuer: String, _ signatures: [HistoryIndex.At<Signature>], _ report: inout CheckReport
    ) {
        var first: [String: HistoryIndex.At<Signature>] = [:]
        for event in signatures where first[event.what.kid] == nil { first[event.what.kid] = event }
        var told: Set<String> = []
        for event in index.rings[issuer] ?? [] {
            // What an agent shows may be of a view that is a while old: another's signature is compared with a view that was
            // read after it by an agent that goes by it, which is what the same agent's is.
            for key in event.what.keys where key.state == "standby" {
                guard let signed = first[key.kid], signed.end < event.begin, signed.what.agent == event.what.agent,
                    told.insert(key.kid).inserted
                else { continue }
                report.violations.append(
                    Violation(
                        rule: 1, kind: .signedAhead,
                        text: "\(event.what.agent) shows \(key.kid.prefix(8)) of \(issuer) as a standby key, and it has signed",
                        at: event.end))
            }
        }
    }

    /// The generations of an issuer that each agent itself had said by when.
    private func wordsOfAgents(_ issuer: String) -> [String: Steps] {
        var words: [String: Steps] = [:]
        for event in index.rings[issuer] ?? [] { words[event.what.agent, default: Steps()].add(event.end, event.what.generation) }
        for event in index.changes[issuer] ?? [] {
            guard case .done(let reply) = event.what.outcome, let generation = reply.generation else { continue }
            words[event.what.agent, default: Steps()].add(event.end, generation)
        }
        return words.mapValues { $0.sorted() }
    }

    /// The generations that each agent had gone by when the reply to a rotation was read.
    private func settledGenerations(_ issuer: String) -> [String: Steps] {
        let agents = Set((index.signatures[issuer] ?? []).map(\.what.agent))
        var found: [String: Steps] = [:]
        for event in index.changes[issuer] ?? [] {
            guard event.what.kind == .rotate || event.what.kind == .revoke, case .done(let reply) = event.what.outcome,
                let generation = reply.generation
            else { continue }
            for agent in agents where reply.settlement?.covers(agent, repliedBy: event.what.agent) ?? true {
                found[agent, default: Steps()].add(event.end, generation)
            }
        }
        return found.mapValues { $0.sorted() }
    }
}

/// The highest number that had been reached by each moment.
struct Steps: Sendable {
    private var steps: [(at: Moment, value: Int)] = []

    mutating func add(_ at: Moment, _ value: Int) { steps.append((at, value)) }

    /// In order, each with the highest so far.
    func sorted() -> Steps {
        var result = Steps()
        var highest = Int.min
        for step in steps.sorted(by: { $0.at < $1.at }) {
            highest = max(highest, step.value)
            result.steps.append((step.at, highest))
        }
        return result
    }

    /// The highest that had been reached before a moment; nil when none had. Of sorted steps only.
    func latest(before moment: Moment) -> Int? {
        var (low, high) = (0, steps.count)
        while low < high {
            let middle = (low + high) / 2
            if steps[middle].at < moment { low = middle + 1 } else { high = middle }
        }
        return low > 0 ? steps[low - 1].value : nil
    }
}
