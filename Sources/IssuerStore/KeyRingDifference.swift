package import KeyLifecycle

/// What a change does to the keys that its issuer has in the store.
package struct KeyRingDifference {
    /// New keys with their place in the ring, in the order in which they can be inserted.
    package let added: [(position: Int, key: SigningKey)]
    /// Stored keys that are different now, in the order in which they can be written: a published state is left before
    /// another key enters it.
    package let updated: [SigningKey]

    /// - Throws: `StoreError` with `.conflict` when the change was not made from these keys, whatever its generation says:
    ///   an issuer of the same name may have been deleted and created again.
    package init(_ change: IssuerChange, stored: [SigningKey]) throws(StoreError) {
        let current = change.issuer?.ring.keys ?? []
        guard change.issuer == nil ? Self.destroysAll(stored, change) : Self.continues(stored, current) else {
            throw .conflict("the change of the issuer \(change.name) was made from other keys than those in the store")
        }
        updated = zip(current, stored).filter { $0 != $1 }.map(\.0).sorted { Self.rank($0.state) < Self.rank($1.state) }
        added = current.enumerated().dropFirst(stored.count).map { (position: $0, key: $1) }
    }

    /// A ring grows at its end only.
    private static func continues(_ stored: [SigningKey], _ current: [SigningKey]) -> Bool {
        current.count >= stored.count && zip(current, stored).allSatisfy(isSameKey)
    }

    /// A deletion ends every published key.
    private static func destroysAll(_ stored: [SigningKey], _ change: IssuerChange) -> Bool {
        Set(stored.filter { $0.state.isPublished && $0.lostAt == nil }.map(\.keyID)) == Set(change.destroyed.map(\.keyID))
    }

    private static func isSameKey(_ key: SigningKey, _ stored: SigningKey) -> Bool {
        key.kid == stored.kid && key.keyID == stored.keyID && key.algorithm == stored.algorithm
            && key.publicKey == stored.publicKey && key.publishedAt == stored.publishedAt
            && key.knownFrom == stored.knownFrom
    }

    private static func rank(_ state: KeyState) -> Int {
        switch state {
        case .retired, .revoked: 0
        case .retiring: 1
        case .active: 2
        case .standby: 3
        }
    }
}
