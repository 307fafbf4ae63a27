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
            case .refusal: break
            }
        }
        for issuer in signatures.keys { signatures[issuer]?.sort { $0.end < $1.end } }
        for issuer in changes.keys { changes[issuer]?.sort { $0.end < $1.end } }
        for issuer in rings.keys { rings[issuer]?.sort { $0.end < $1.end } }
        for issuer in documents.keys {
            for frontend in documents[issuer, default: [:]].keys { documents[issuer]?[frontend]?.sort { $0.begin < $1.begin } }
        }
        deeds.sort { $0.begin < $1.begin }
    }

    var issuers: [String] {
        Set(signatures.keys).union(changes.keys).union(rings.keys).union(documents.keys).sorted()
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
        return found
    }
}
