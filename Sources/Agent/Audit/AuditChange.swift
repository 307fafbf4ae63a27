/// A change in a store that several agents share, as the log of the agent that makes it has it.
///
/// Each generation of an issuer is made once, so over all logs of a fleet each stands as `made` in one, and none is missing.
struct AuditChange: Hashable, Sendable {
    enum Step: String, Sendable {
        /// On the disk before the store is asked. Without one of the steps that follow the agent has ended in between.
        case begun
        /// The store has it.
        case made
        /// The store does not have it: another agent was faster, or the store could not be changed.
        case lost
        /// The store did not answer, and nobody knows by that whether it has it.
        case undecided
        /// An operator decides what counts from now on, of the whole store: generations may begin anew.
        case settling
        /// The private half of a key has been destroyed; no change of its issuer.
        case destroyed
    }

    var step: Step
    var issuer: String?
    /// That it makes; of a deletion, the one that it ends.
    var generation: Int?
    var isCreation = false
    var isDeletion = false
    /// Of the store, that it made.
    var revision: Int64?
    /// The kids that are published from then on.
    var added: [String] = []
    /// The kids that are not any more.
    var ended: [String] = []
    /// `CKA_ID` of what was destroyed, hexadecimal.
    var keyID: String?

    init(_ step: Step, issuer: String? = nil, generation: Int? = nil) {
        self.step = step
        self.issuer = issuer
        self.generation = generation
    }

    /// The same, a step further.
    func at(_ step: Step, revision: Int64? = nil) -> AuditChange {
        var change = self
        change.step = step
        change.revision = revision
        return change
    }
}
