/// A refusal by the rules of the domain. Equal by code.
public struct LifecycleError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Why, from an open set.
    public struct Code: RawRepresentable, Hashable, Sendable {
        public let rawValue: String

        public init(rawValue: String) {
            self.rawValue = rawValue
        }

        public static let claimsInvalid = Code(rawValue: "claims-invalid")
        public static let lifetimeExceeded = Code(rawValue: "lifetime-exceeded")
        public static let policyInvalid = Code(rawValue: "policy-invalid")
        /// The issuer has another generation than the caller or the plan was told.
        public static let conflict = Code(rawValue: "conflict")
        public static let keyNotFound = Code(rawValue: "key-not-found")
        /// A revocation would leave no key to sign with.
        public static let noKeyLeft = Code(rawValue: "no-key-left")
        /// A rotation that was to revoke nothing would revoke a key that is retiring.
        public static let wouldRevoke = Code(rawValue: "would-revoke")
    }

    public let code: Code
    /// What happened, in one line.
    public let message: String
    /// What to do, in one line.
    public let hint: String
    /// With `.conflict`, the issuer's generation now, where that is what differs; of an issuer that has been deleted, its last.
    public let generation: Int?
    /// With `.wouldRevoke`, when the overlap ends.
    public let overlapEndsAt: Timestamp?

    public init(
        _ code: Code, _ message: String, hint: String, generation: Int? = nil, overlapEndsAt: Timestamp? = nil
    ) {
        self.overlapEndsAt = overlapEndsAt
        self.code = code
        self.message = message
        self.hint = hint
        self.generation = generation
    }

    public static func == (left: LifecycleError, right: LifecycleError) -> Bool {
        left.code == right.code
    }

    public var description: String { message }

    /// No published key has this kid.
    public static func keyNotFound(_ kid: String) -> LifecycleError {
        LifecycleError(
            .keyNotFound, "no published key has the kid \(kid)", hint: "list the keys to see which can be revoked")
    }

    static func wouldRevoke(_ retiring: SigningKey) -> LifecycleError {
        LifecycleError(
            .wouldRevoke, "the overlap of the last rotation is not over, so this one would revoke the key \(retiring.kid)",
            hint: "wait until it is over, or rotate without refusing: JWTs by that key stop verifying then",
            overlapEndsAt: retiring.expiresAt)
    }

    static func conflict(expected: Int, actual: Int) -> LifecycleError {
        LifecycleError(
            .conflict, "the issuer is at generation \(actual), not \(expected)",
            hint: "look at what changed, then try again with the current generation", generation: actual)
    }
}
