import Foundation

/// A history, sorted by what its events are about.
struct HistoryIndex: Sendable {
    /// An event of one kind.
    struct At<What: Sendable>: Sendable {
        let begin: Moment
        let end: Moment
        let what: What
    }

    private(set) var start: Moment = 0
    /// By issuer, in the order in which their answers came.
    private(set) var signatures: [String: [At<Signature>]] = [:]
    private(set) var changes: [String: [At<Change>]] = [:]
    private(set) var rings: [String: [At<Ring>]] = [:]
    /// By issuer and frontend, in the order in which they were sent; each frontend is asked for one at a time.
    private(set) var documents: [String: [String: [At<DocumentFetch>]]] = [:]
    private(set) var deeds: [At<Deed>] = []
    private(set) var inventories: [At<Inventory>] = []
    /// By issuer, in the order of the store's log.
    private(set) var commits: [String: [At<Commit>]] = [:]
    private(set) var recoveries: [At<Recovery>] = []
    /// In the order in which they began.
    private(set) var lags: [(begin: Moment, end: Moment)] = []
    private(set) var foreignKids: Set<String> = []
    /// JWK by kid, of each key set.
    private(set) var keySets: [Int: [String: String]] = [:]

    init(_ history: History) {
        let events = history.events
        start = events.map(\.begin).min() ?? 0
        for event in events {
            let (begin, end) = (event.begin, event.end)
            switch event.what {
            case .signature(let it): signatures[it.issuer, default: []].append(At(begin: begin, end: end, what: it))
            case .change(let it): changes[it.issuer, default: []].append(At(begin: begin, end: end, what: it))
            case .ring(let it): rings[it.issuer, default: []].append(At(begin: begin, end: end, what: it))
            case .document(let it):
                documents[it.issuer, default: [:]][it.frontend, default: []].append(At(begin: begin, end: end, what: it))
            case .deed(let it): deeds.append(At(begin: begin, end: end, what: it))
            case .inventory(let it): inventories.append(At(begin: begin, end: end, what: it))
            case .foreignKey(let kid): foreignKids.insert(kid)
            case .keySet(let id, let text): keySets[id] = Self.keys(text)
            case .commit(let it): commits[it.issuer, default: []].append(At(begin: begin, end: end, what: it))
            case .recovery(let it): recoveries.append(At(begin: begin, end: end, what: it))
            case .lag: lags.append((begin, end))
            case .refusal: break
            }
        }
        lags.sort { $0.begin < $1.begin }
        recoveries.sort { $0.begin < $1.begin }
        if !recoveries.isEmpty { countGenerationsOn() }
        for issuer in signatures.keys { signatures[issuer]?.sort { $0.end < $1.end } }
        for issuer in changes.keys { changes[issuer]?.sort { $0.end < $1.end } }
        for issuer in rings.keys { rings[issuer]?.sort { $0.end < $1.end } }
        for issuer in documents.keys {
            for frontend in documents[issuer, default: [:]].keys { documents[issuer]?[frontend]?.sort { $0.begin < $1.begin } }
        }
        deeds.sort { $0.begin < $1.begin }
    }

    var issuers: [String] {
        Set(signatures.keys).union(changes.keys).union(rings.keys).union(documents.keys).union(commits.keys).sorted()
    }

    /// With each recovery generations begin anew, at an earlier one: made to go on rising, as whoever reads a history expects.
    private mutating func countGenerationsOn() {
        func raised(_ generation: Int?, _ count: Int) -> Int? { generation.map { $0 + count * 1_000_000 } }
        /// Agents say what was before until they are ended, the store from the moment on at which it was put back.
        let (ends, begins) = (recoveries.map(\.end), recoveries.map(\.begin))
        for issuer in rings.keys {
            rings[issuer] = rings[issuer]?.map { event in
                var ring = event.what
                ring.generation = raised(ring.generation, ends.count { $0 <= event.end }) ?? 0
                return At(begin: event.begin, end: event.end, what: ring)
            }
        }
        for issuer in changes.keys {
            changes[issuer] = changes[issuer]?.map { event in
                var change = event.what
                let count = ends.count { $0 <= event.end }
                change.ifGeneration = raised(change.ifGeneration, count)
                if case .done(var reply) = change.outcome {
                    reply.generation = raised(reply.generation, count)
                    change.outcome = .done(reply)
                }
                return At(begin: event.begin, end: event.end, what: change)
            }
        }
        for issuer in commits.keys {
            // What a store shows that was put back, nobody goes by.
            commits[issuer]?.removeAll { event in
                recoveries.contains { $0.begin < event.end && event.end <= $0.what.until }
            }
            commits[issuer] = commits[issuer]?.map { event in
                var commit = event.what
                commit.generation = raised(commit.generation, begins.count { $0 <= event.end })
                return At(begin: event.begin, end: event.end, what: commit)
            }
        }
    }

    /// The longest that anything was kept waiting at some time between two moments.
    func longestLag(from begin: Moment, to end: Moment) -> Int64 {
        var longest: Int64 = 0
        for lag in lags {
            if lag.begin > end { break }
            if lag.end >= begin { longest = max(longest, lag.end - lag.begin) }
        }
        return longest
    }

    /// The kids that a fetched document has; none for one that was refused.
    func kids(_ document: DocumentFetch) -> [String: String] { document.keySet.flatMap { keySets[$0] } ?? [:] }

    /// JWKs of a key set by kid, written alike for the same content.
    private static func keys(_ text: String) -> [String: String] {
        guard let object = try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any],
            let keys = object["keys"] as? [[String: Any]]
        else { return [:] }
        var found: [String: String] = [:]
        for key in keys {
            guard let kid = key["kid"] as? String else { continue }
            found[kid] = canonical(key)
        }
        return found
    }

    /// A JWK with its members in order.
    static func canonical(_ jwk: String) -> String {
        guard let object = try? JSONSerialization.jsonObject(with: Data(jwk.utf8)) as? [String: Any] else { return jwk }
        return canonical(object)
    }

    private static func canonical(_ object: [String: Any]) -> String {
        let options: JSONSerialization.WritingOptions = [.sortedKeys, .withoutEscapingSlashes]
        let data = (try? JSONSerialization.data(withJSONObject: object, options: options)) ?? Data()
        return String(decoding: data, as: UTF8.self)
    }
}

extension HistoryIndex {
    /// What is known of an issuer's active keys: by generation, and of each kid the generations in which it was.
    struct Generations: Sendable {
        /// Kids that were said to be active at a generation, with who said so.
        var active: [Int: [String: String]] = [:]
        var highest: [String: Int] = [:]
        var lowest: [String: Int] = [:]

        mutating func add(_ generation: Int, _ kid: String, _ who: String) {
            if active[generation]?[kid] == nil { active[generation, default: [:]][kid] = who }
            highest[kid] = max(highest[kid] ?? generation, generation)
            lowest[kid] = min(lowest[kid] ?? generation, generation)
        }
    }

    func generations(of issuer: String) -> Generations {
        var found = Generations()
        for event in changes[issuer] ?? [] {
            guard case .done(let reply) = event.what.outcome, let generation = reply.generation, let kid = reply.activeKid else {
                continue
            }
            found.add(generation, kid, "\(event.what.agent)'s reply to \(event.what.kind.rawValue)")
        }
        for event in rings[issuer] ?? [] { found.add(event.what.generation, event.what.activeKid, event.what.agent) }
        for event in commits[issuer] ?? [] {
            guard let generation = event.what.generation else { continue }
            for key in event.what.keys where key.state == "active" { found.add(generation, key.kid, "the store") }
        }
        return found
    }
}
