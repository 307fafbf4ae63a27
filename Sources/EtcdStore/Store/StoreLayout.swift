import IssuerStore
import KeyLifecycle

/// Where everything of one deployment lies: `<prefix>/1/<deployment>/`.
///
/// What stands under other names there is of a later release, and is passed over.
struct StoreLayout: Hashable, Sendable {
    /// The most bytes of one value.
    static let valueLimit = 8_192
    /// The token group that there is for now; a ring is of one group.
    static let group = "1"

    /// With a slash at its end.
    let base: String
    let prefix: String

    init(prefix: String, deployment: String) {
        self.prefix = prefix
        base = "\(Self.root(prefix))\(deployment)/"
    }

    /// Where another deployment of the same prefix would lie.
    func sibling(deployment: String) -> StoreLayout {
        StoreLayout(prefix: prefix, deployment: deployment)
    }

    /// Under which every deployment of a prefix would lie; one may.
    static func root(_ prefix: String) -> String { "\(prefix)/1/" }

    var meta: String { base + "meta" }
    var head: String { base + "head" }
    var probes: String { base + "probes/" }

    var issuers: String { base + "issuers/" }
    /// Of all issuers: `<name>/<kid>`.
    var ended: String { base + "ended/" }
    var former: String { base + "former/" }
    var intents: String { base + "intents/" }
    var destructions: String { base + "destructions/" }
    var quarantined: String { base + "quarantined/" }
    var starts: String { base + "starts/" }
    var keyIDs: String { base + "keyids/" }
    var kids: String { base + "kids/" }
    /// The token that last showed the keys of the group.
    var token: String { base + "tokens/" + Self.group }

    /// Who may sign: without a lease, so that an agent that cannot be heard of is still waited for.
    var members: String { base + "members/" }
    /// Who is there, each under its lease.
    var agents: String { base + "agents/" }
    /// How far each has come, under its lease.
    var views: String { base + "views/" }
    var claims: String { base + "claims/" }
    /// The last signed head of each agent's audit log, without a lease.
    var heads: String { base + "heads/" }

    func issuer(_ name: IssuerName) -> String { issuers + name.text }
    func ended(_ name: IssuerName) -> String { "\(ended)\(name.text)/" }
    func ended(_ name: IssuerName, _ kid: String) -> String { ended(name) + kid }
    func former(_ name: IssuerName) -> String { former + name.text }
    func intent(_ id: KeyID) -> String { "\(intents)\(id)" }
    func destruction(_ id: KeyID) -> String { "\(destructions)\(id)" }
    func quarantined(_ id: KeyID) -> String { "\(quarantined)\(id)" }
    func start(_ id: String) -> String { starts + id }
    func member(_ id: String) -> String { members + id }
    /// Of one that had the id before, and may go on signing for a while.
    func former(_ id: String, _ incarnation: String) -> String { "\(members)\(id)/\(incarnation)" }
    func agent(_ id: String) -> String { agents + id }
    func view(_ id: String) -> String { views + id }
    func claim(_ name: IssuerName) -> String { claims + name.text }
    func head(_ id: String) -> String { heads + id }

    /// What has become of a `CKA_ID`. Never deleted, so never read as a whole.
    func keyID(_ id: KeyID) -> String { "\(keyIDs)\(id)" }
    /// Whose key a kid is. Never deleted either.
    func kid(_ kid: String) -> String { "\(kids)\(kid)" }

    /// Where everything lies that a view shows, but for `meta`, `head` and the token.
    var groups: [String] { [issuers, ended, former, intents, destructions, quarantined, starts] }

    /// What an event of a key may mean to an agent; `nil` for nothing.
    func hint(_ key: String, isNew: Bool, for agent: String) -> StoreHint? {
        guard key.hasPrefix(base) else { return nil }
        let name = key.dropFirst(base.count)
        switch name.prefix(while: { $0 != "/" }) {
        case "claims", "heads", "probes": return nil
        case "members": return name == "members/\(agent)" ? nil : .members
        case "views": return name == "views/\(agent)" ? nil : .members
        // That it is still there is no news.
        case "agents": return isNew && name != "agents/\(agent)" ? .members : nil
        default: return .contents
        }
    }
}
