/// Something that must not be.
package struct Violation: Sendable, Hashable, CustomStringConvertible {
    /// Of the six of a fleet: one active key a generation, JWTs that verify, revocations that settle, agents that come back,
    /// keys that are neither lost nor left over, nothing published that the token has not.
    package let rule: Int
    package let kind: Kind
    package let text: String
    /// When it showed.
    package let at: Moment

    package enum Kind: String, Sendable, CaseIterable {
        // One active key
        case twoActiveKeys = "two-active-keys", badRing = "bad-ring", ringsDiffer = "rings-differ", twoWinners = "two-winners"
        case keyCameBack = "key-came-back", signedAhead = "signed-ahead", agentWentBack = "agent-went-back"
        case oldKeyAfterRotation = "old-key-after-rotation", generationReused = "generation-reused"
        case storeWentBack = "store-went-back"
        // Every JWT verifies
        case keyGone = "key-gone", notServedYet = "not-served-yet", badSignature = "bad-signature"
        case droppedEarly = "dropped-early", outlivesKey = "outlives-key", frontendWentBack = "frontend-went-back", sameJTI =
            "same-jti"
        // Revocations settle
        case signedAfterRevocation = "signed-after-revocation"
        // Agents that come back
        case signedInDoubt = "signed-in-doubt"
        // Keys
        case keyLost = "key-lost", keyLeftOver = "key-left-over", revokedUnasked = "revoked-unasked"
        // Injection
        case foreignKeyPublished = "foreign-key-published", publishedWithoutToken = "published-without-token"
    }

    package var description: String { "rule \(rule), \(kind.rawValue): \(text)" }
}

/// What came of looking at a history.
package struct CheckReport: Sendable {
    package var violations: [Violation] = []
    /// How often something was looked at, by what it was: a check that looked at nothing has shown nothing.
    package var looked: [String: Int] = [:]
    /// What is not counted as a violation, because a reply had said it, or cannot be told from outside; by why.
    package var excused: [String: Int] = [:]

    package init() {}

    package func count(_ kind: Violation.Kind) -> Int { violations.count { $0.kind == kind } }

    mutating func look(_ what: String, _ count: Int = 1) { looked[what, default: 0] += count }
    mutating func excuse(_ why: String, _ count: Int = 1) { excused[why, default: 0] += count }
}
