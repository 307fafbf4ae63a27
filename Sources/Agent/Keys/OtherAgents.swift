/// Who else of the deployment uses the token, and how often that is looked for.
///
/// A value around `SoleUse`, which judges the notes: what is read of the token and written to it is for the registry to do,
/// between `beginLook()` and `endLook()`.
struct OtherAgents: Sendable {
    /// Looks at the whole token for notes now and then, for the sake of tokens that do not show which agent has removed one.
    private static let thoroughLook = 60

    private var soleUse: SoleUse
    /// Whether the token keeps this agent's note.
    private(set) var keepsNote = true
    private var looks = 0
    private var isLooking = false
    /// How often an operator has said that the token is this agent's alone.
    private var acceptances = 0

    /// - Parameters:
    ///   - own: this agent's note; `nil` for one that leaves none.
    ///   - known: agents whose notes are this store's own.
    init(own: AgentNote?, known: Set<String> = []) {
        soleUse = SoleUse(own: own, known: known)
    }

    var own: AgentNote? { soleUse.own }

    var standing: SoleUse.Standing { soleUse.standing }

    /// Whether the notes on the token have been looked at since the start, or since an operator's word.
    var hasBegun: Bool { soleUse.hasBegun }

    /// The agent that was there first, if there was one.
    var rival: AgentNote? {
        guard case .later(let other) = soleUse.standing else { return nil }
        return other
    }
}

// MARK: - A look

extension OtherAgents {
    struct Look: Sendable {
        let isThorough: Bool
        /// The note that was kept last: where it is still there, the token need not be searched.
        let kept: AgentNote?
    }

    /// What a look has come to.
    struct Finding: Sendable {
        /// The note that is to be put on the token.
        let wanted: AgentNote?
        /// Whether it is the first look since the start, or since an operator's word.
        let isFirst: Bool
        /// Whether it stands otherwise now between this agent and others.
        let isNews: Bool
        fileprivate let before: SoleUse
        fileprivate let acceptances: Int
    }

    /// - Returns: `nil` when there is no look to be made: one is under way, another agent was there first, or the token keeps no
    ///   notes and it is not time for a thorough look.
    mutating func beginLook() -> Look? {
        guard !isLooking, rival == nil else { return nil }
        looks += 1
        let isThorough = !soleUse.hasBegun || looks.isMultiple(of: Self.thoroughLook)
        guard isThorough || keepsNote else { return nil }
        isLooking = true
        return Look(isThorough: isThorough, kept: isThorough ? nil : soleUse.own)
    }

    mutating func endLook() {
        isLooking = false
    }

    /// Takes what the token shows.
    mutating func find(_ notes: [AgentNote], by look: Look) -> Finding {
        let before = soleUse
        let note = soleUse.look(at: notes)
        return Finding(
            // A note that the token has refused once it may take the next time.
            wanted: keepsNote || look.isThorough ? note : nil, isFirst: !before.hasBegun,
            isNews: soleUse.standing != before.standing, before: before, acceptances: acceptances)
    }

    /// The token has taken the wanted note, or has refused it.
    ///
    /// - Returns: whether that is another answer than before.
    mutating func noteKept(_ isKept: Bool, of finding: Finding) -> Bool {
        guard finding.isFirst || isKept != keepsNote else { return false }
        keepsNote = isKept
        return true
    }

    /// The wanted note could not be put on the token: it is to be at the next look, unless another agent was found, or an operator
    /// has said meanwhile how it stands.
    mutating func takeBack(_ finding: Finding) {
        guard case .alone = soleUse.standing, acceptances == finding.acceptances else { return }
        soleUse = finding.before
    }
}

// MARK: - An operator's word

extension OtherAgents {
    /// How it stands once an operator has said that the token is this agent's alone, which the store has to know first.
    ///
    /// - Parameter notes: what the token shows.
    /// - Returns: also the agents whose notes may be there from then on.
    func accepting(_ notes: [AgentNote]) -> (accepted: SoleUse, agents: Set<String>) {
        var accepted = soleUse
        let agents = accepted.accept(notes)
        return (accepted, agents)
    }

    mutating func accept(_ accepted: SoleUse) {
        soleUse = accepted
        acceptances += 1
    }
}
