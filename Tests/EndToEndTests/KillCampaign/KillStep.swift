import TestSupport

/// A place inside a change at which the agent is held and killed.
struct KillStep: Hashable, Sendable, CustomStringConvertible {
    /// What is under way.
    enum Change: String, CaseIterable, Sendable {
        case create, rotate, rotateTwice = "rotate twice", revokeActive = "revoke active", revokeRetiring = "revoke retiring"
        case revokeStandby = "revoke standby", retire, delete, enable, disable
        /// What a start finishes, after a kill that left something to finish.
        case reconcile
    }

    /// What holds it.
    enum Hold: Hashable, Sendable, CustomStringConvertible {
        /// The n-th call of a function, before or after the token has done it.
        case before(String, Int = 1)
        case after(String, Int = 1)
        /// The database is locked from outside before the change is asked for: its first commit waits.
        case commit
        /// The database is locked once the key has been generated: the commit that takes it in waits.
        case commitOfKey
        /// Its fresh key is published, and waits for a frontend that does not serve it before it takes over.
        case takeOver
        /// A signature is under way that the change must wait for.
        case signature
        /// Nothing: the agent is killed as soon as it has replied.
        case reply

        var description: String {
            switch self {
            case .before(let function, let number): "before \(function) \(number)"
            case .after(let function, let number): "after \(function) \(number)"
            case .commit: "in its commit"
            case .commitOfKey: "in the commit of its key"
            case .takeOver: "before its key takes over"
            case .signature: "with a signature under way"
            case .reply: "on its reply"
            }
        }
    }

    let change: Change
    let hold: Hold

    var description: String { "\(change.rawValue), \(hold)" }

    /// Whether the change cannot have been committed when the agent is held here.
    var precedesCommit: Bool {
        switch hold {
        case .commit: true
        // What an ordinary rotation generates is the next standby key, after its commit.
        case .commitOfKey, .before("C_GetAttributeValue", _): change != .rotate && change != .reconcile
        case .before("C_GenerateKeyPair", 1), .after("C_GenerateKeyPair", 1): change != .rotate
        default: false
        }
    }

    /// Every step of every change. What an ordinary rotation does on the token comes after its reply.
    static let all: [KillStep] = {
        func steps(_ changes: [Change], _ holds: [Hold]) -> [KillStep] {
            changes.flatMap { change in holds.map { KillStep(change: change, hold: $0) } }
        }
        let generating: [Hold] = [
            .before("C_GenerateKeyPair"), .after("C_GenerateKeyPair"), .before("C_GetAttributeValue"),
            .before("C_GetAttributeValue", 4), .commitOfKey,
        ]
        func destroying(_ keys: Int) -> [Hold] {
            // A key is two objects.
            (1...2 * keys).flatMap { [.before("C_DestroyObject", $0), .after("C_DestroyObject", $0)] }
        }
        return steps([.create], generating + [.commit, .reply, .before("C_GenerateKeyPair", 2), .after("C_GenerateKeyPair", 2)])
            + steps(
                [.rotate],
                [.commit, .signature, .reply, .before("C_GenerateKeyPair"), .after("C_GenerateKeyPair"), .commitOfKey])
            + steps([.rotateTwice, .revokeActive], generating + [.commit, .signature, .reply] + destroying(2))
            + steps([.revokeRetiring, .revokeStandby], generating + [.reply] + destroying(1))
            + steps([.rotateTwice, .revokeActive, .revokeRetiring, .revokeStandby], [.takeOver])
            + steps([.retire], destroying(1))
            + steps([.delete], [.commit, .reply, .signature] + destroying(3))
            + steps([.enable, .disable], [.commit, .signature, .reply])
            + steps([.reconcile], [.before("C_DestroyObject"), .after("C_DestroyObject"), .before("C_GetAttributeValue")])
    }()

    /// Every step once, in an order of the generator's, such that every few of them are of all changes.
    static func shuffled(using generator: inout SeededGenerator) -> [KillStep] {
        var byChange = Change.allCases.map { change in all.filter { $0.change == change }.shuffled(using: &generator) }
        var order: [KillStep] = []
        while order.count < all.count {
            for index in byChange.indices {
                if let step = byChange[index].popLast() { order.append(step) }
            }
        }
        return order
    }
}
