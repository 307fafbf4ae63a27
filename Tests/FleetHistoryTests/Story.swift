import FleetHistory

/// A history made by hand. Times are seconds, of the wall clock as well: there 1970 was when the machine started.
final class Story: Sendable {
    let history = History(wallOffset: 0)

    static func at(_ seconds: Double) -> Moment { Moment(seconds * 1_000_000_000) }

    private func add(_ begin: Double, _ end: Double, _ what: Happening) {
        history.add(Self.at(begin), Self.at(end), what)
    }

    /// A JWT by a key: genuine unless another key's text is given.
    func sign(
        _ kid: String, by agent: String = "a", asked begin: Double, got end: Double? = nil, until expiry: Int64 = 600,
        jwt: String? = nil, jti: String? = nil
    ) {
        let end = end ?? begin + 0.01
        add(
            begin, end,
            .signature(
                Signature(
                    agent: agent, issuer: "i", kid: kid, jti: jti ?? "\(agent) \(kid) \(begin) \(end)", expiresAt: expiry,
                    jwt: jwt ?? "by \(kid)")))
    }

    func rotate(
        _ kid: String, _ generation: Int, by agent: String = "a", asked begin: Double, got end: Double, revoked: [String] = [],
        retiring: (String, Int64)? = nil, if condition: Int? = nil, publication: String? = nil, exposure: Int = 0,
        settlement: Settlement? = nil
    ) {
        let reply = ChangeReply(
            generation: generation, activeKid: kid, revoked: revoked, retiringKid: retiring?.0, retiringUntil: retiring?.1,
            publication: publication, exposureSeconds: exposure, settlement: settlement)
        add(begin, end, .change(Change(.rotate, agent: agent, issuer: "i", ifGeneration: condition, .done(reply))))
    }

    func change(
        _ kind: Change.Kind, kid: String? = nil, asked begin: Double, got end: Double, gentle: Bool = false,
        _ outcome: Change.Outcome
    ) {
        add(begin, end, .change(Change(kind, agent: "a", issuer: "i", kid: kid, isGentle: gentle, outcome)))
    }

    /// Keys as `kid: state`.
    func ring(
        _ generation: Int, active: String, _ keys: KeyValuePairs<String, String>, by agent: String = "a", at moment: Double,
        held: Bool = true, until: Int64? = nil
    ) {
        let keys = keys.map { kid, state in
            Ring.Key(
                kid: kid, state: state, expiresAt: state == "retiring" ? until : nil, jwk: #"{"kid":"\#(kid)"}"#, isHeld: held)
        }
        add(
            moment, moment + 0.01,
            .ring(Ring(agent: agent, issuer: "i", generation: generation, activeKid: active, keys: keys)))
    }

    func fetch(
        _ kids: [String], from frontend: String = "f", at begin: Double, took: Double = 0.01, status: Int = 200,
        fresh: Bool = true
    ) {
        let text = #"{"keys":[\#(kids.map { #"{"kid":"\#($0)"}"# }.joined(separator: ","))]}"#
        let id = status == 200 ? history.keySet(text, at: Self.at(begin)) : nil
        add(
            begin, begin + took,
            .document(DocumentFetch(frontend: frontend, issuer: "i", status: status, isFresh: fresh, keySet: id)))
    }

    func inventory(
        token: Set<String>, live: KeyValuePairs<String, String>, pending: Set<String> = [], aside: Set<String>? = nil,
        nameless: Int = 0,
        settled: Bool = true,
        at moment: Double
    ) {
        let keys = live.map { Inventory.Key(kid: $0, keyID: $1) }
        add(
            moment, moment,
            .inventory(
                Inventory(
                    privateKeys: token, live: keys, pending: pending, aside: aside, nameless: nameless, isSettled: settled)))
    }

    /// A state of the issuer in the store's log, or its end; keys as `kid: state`.
    func commit(_ generation: Int?, _ keys: KeyValuePairs<String, String>, at moment: Double, until: Int64? = nil) {
        let keys = keys.map { Commit.Key(kid: $0, state: $1, expiresAt: $1 == "retiring" ? until : nil) }
        add(moment - 0.5, moment, .commit(Commit(issuer: "i", generation: generation, keys: keys)))
    }

    func lag(from begin: Double, to end: Double) { add(begin, end, .lag) }

    /// The store is put back, every agent is in doubt a second later and has ended a second before an operator has decided.
    func recovery(_ kid: String, revoked: [String], from begin: Double, to end: Double) {
        let issuers = [Recovery.Issuer("i", activeKid: kid, revoked: revoked)]
        add(begin, end, .recovery(Recovery(issuers, doubtedFrom: Self.at(begin + 1), until: Self.at(end - 1))))
    }

    func foreignKey(_ kid: String, at moment: Double) { add(moment, moment, .foreignKey(kid: kid)) }

    func deed(_ name: String, _ target: String, from begin: Double, to end: Double) {
        add(begin, end, .deed(Deed(name, [target])))
    }

    /// What a checker finds in it, with JWTs that say by themselves whose they are.
    func check() async -> CheckReport {
        await FleetChecker(history) { jwk, jwt, _ in
            jwt.hasPrefix("by ") && jwk.contains(#""kid":"\#(jwt.dropFirst(3))""#)
        }.check()
    }
}
