/// The signing keys of one issuer in the order they were made, ended ones included.
public struct KeyRing: Hashable, Sendable {
    public internal(set) var keys: [SigningKey]

    public init(keys: [SigningKey]) {
        self.keys = keys
    }

    /// The key that signs. `nil` only in a ring that breaks its invariants.
    public var active: SigningKey? { keys.first { $0.state == .active } }
    public var standby: SigningKey? { keys.first { $0.state == .standby } }
    public var retiring: SigningKey? { keys.first { $0.state == .retiring } }

    public subscript(kid: String) -> SigningKey? {
        keys.first { $0.kid == kid }
    }

    public func count(_ state: KeyState) -> Int {
        keys.count { $0.state == state }
    }

    /// The keys of the JWKS: active, then retiring, then standby.
    public var published: [SigningKey] {
        [active, retiring, standby].compactMap(\.self)
    }

    /// What is wrong with the ring, a sentence each; empty for a sound one.
    ///
    /// One active key; at most one retiring and one standby; no kid or `CKA_ID` twice; a retiring key has an end.
    public var violations: [String] {
        var found: [String] = []
        if count(.active) != 1 { found.append("\(count(.active)) keys are active instead of 1") }
        if count(.retiring) > 1 { found.append("\(count(.retiring)) keys are retiring") }
        if count(.standby) > 1 { found.append("\(count(.standby)) keys are standby") }
        if Set(keys.map(\.kid)).count != keys.count { found.append("a kid occurs twice") }
        if Set(keys.map(\.keyID)).count != keys.count { found.append("a CKA_ID occurs twice") }
        if let retiring, retiring.expiresAt == nil { found.append("the retiring key \(retiring.kid) has no end") }
        return found
    }

    mutating func update(_ kid: String, _ change: (inout SigningKey) -> Void) {
        guard let index = keys.firstIndex(where: { $0.kid == kid }) else { return }
        change(&keys[index])
    }

    /// Leaves a key that has ended as it is.
    mutating func revoke(_ kid: String, at moment: Timestamp) {
        update(kid) { key in
            guard key.state.isPublished else { return }
            key.state = .revoked
            key.revokedAt = moment
            key.expiresAt = nil
        }
    }
}
