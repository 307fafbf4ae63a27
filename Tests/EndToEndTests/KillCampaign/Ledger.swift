import AgentProtocol
import Platform

/// What the agent has said to its clients, which no kill may make untrue.
final class Ledger: Sendable {
    /// An issuer as the replies so far have it.
    struct Record: Sendable {
        /// False while only the request to create it has been sent.
        var exists = false
        var isDeleted = false
        /// Whether a change was asked for and never answered, so that either is right.
        var isInDoubt = false
        var isDeletionInDoubt = false
        var generation = 0
        var activeKid = ""
        var isEnabled = false
        var issuerURL: String?
        /// State by kid, as last listed or said.
        var keys: [String: String] = [:]
        var revoked: Set<String> = []
        /// Some JWTs by kid: the first and the latest.
        var jwts: [String: [String]] = [:]
    }

    private let records = Locked<[String: Record]>([:])

    func all() -> [String: Record] { records.withLock { $0 } }

    /// The names of those that are there for all that is known, in a fixed order.
    func names() -> [String] {
        records.withLock { $0.filter { $0.value.exists && !$0.value.isDeleted && !$0.value.isDeletionInDoubt }.keys.sorted() }
    }

    func update(_ name: String, _ body: @Sendable (inout Record) -> Void) {
        records.withLock { body(&$0[name, default: Record()]) }
    }

    func forget(_ name: String) { records.withLock { $0[name] = nil } }

    // What was said

    func handedOut(_ jwt: SignResult, by name: String) {
        update(name) { record in
            record.keys[jwt.kid] = record.keys[jwt.kid] ?? "active"
            var jwts = record.jwts[jwt.kid] ?? []
            // The first, and the two latest.
            if jwts.count >= 3 { jwts.remove(at: 1) }
            jwts.append(jwt.jwt)
            record.jwts[jwt.kid] = jwts
        }
    }

    func said(_ status: IssuerStatus) {
        update(status.name) { record in
            record.exists = true
            record.generation = max(record.generation, status.generation)
            record.activeKid = status.activeKid
            record.keys[status.activeKid] = "active"
            record.isEnabled = status.oidcIssuerProfile.enabled
            record.issuerURL = status.oidcIssuerProfile.issuerUrl
            record.isInDoubt = false
        }
    }

    func said(_ result: RotationResult) {
        update(result.issuer) { record in
            record.generation = max(record.generation, result.generation)
            record.activeKid = result.activeKid
            record.keys[result.activeKid] = "active"
            record.revoked.formUnion(result.plan.revoked)
            record.isInDoubt = false
        }
    }
}
