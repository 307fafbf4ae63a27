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
    private let prefix: String

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
    var former: String { base + "former/" }
    var intents: String { base + "intents/" }
    var destructions: String { base + "destructions/" }
    var quarantined: String { base + "quarantined/" }
    var starts: String { base + "starts/" }
    var keyIDs: String { base + "keyids/" }
    var kids: String { base + "kids/" }
    /// The token that last showed the keys of the group.
    var token: String { base + "tokens/" + Self.group }

    func issuer(_ name: IssuerName) -> String { issuers + name.text }
    func ended(_ name: IssuerName) -> String { "\(base)ended/\(name.text)/" }
    func ended(_ name: IssuerName, _ kid: String) -> String { ended(name) + kid }
    func former(_ name: IssuerName) -> String { former + name.text }
    func intent(_ id: KeyID) -> String { "\(intents)\(id)" }
    func destruction(_ id: KeyID) -> String { "\(destructions)\(id)" }
    func quarantined(_ id: KeyID) -> String { "\(quarantined)\(id)" }
    func start(_ id: String) -> String { starts + id }

    /// What has become of a `CKA_ID`. Never deleted, so never read as a whole.
    func keyID(_ id: KeyID) -> String { "\(keyIDs)\(id)" }
    /// Whose key a kid is. Never deleted either.
    func kid(_ kid: String) -> String { "\(kids)\(kid)" }

    /// Everything but what grows for ever.
    var contents: [EtcdKeyRange] {
        [.between(base, keyIDs), EtcdKeyRange(start: Array("\(base)kids0".utf8), end: EtcdKeyRange.prefix(base).end)]
    }
}
