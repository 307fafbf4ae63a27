/// A moment of CLOCK_BOOTTIME, in nanoseconds. One machine runs the whole fleet, so that one clock orders everything in a history.
package typealias Moment = Int64

package enum Nanoseconds {
    package static let second: Int64 = 1_000_000_000
}

/// Something that happened to a fleet, as one who stands outside saw it.
package struct HistoryEvent: Codable, Sendable, Equatable {
    /// Before the request was sent, or before the deed.
    package var begin: Moment
    /// After the answer was read, or after the deed. What was asked for happened in between, or never.
    package var end: Moment
    package var what: Happening

    package init(_ begin: Moment, _ end: Moment, _ what: Happening) {
        (self.begin, self.end, self.what) = (begin, end, what)
    }
}

package enum Happening: Codable, Sendable, Equatable {
    case signature(Signature)
    /// A request that was refused or never answered: a signature, a document or a look at a ring.
    case refusal(Refusal)
    case change(Change)
    case ring(Ring)
    /// The text of a key set, written once; documents name it.
    case keySet(id: Int, text: String)
    case document(DocumentFetch)
    case deed(Deed)
    /// A key that somebody wrote into the store without the token having it.
    case foreignKey(kid: String)
    case inventory(Inventory)
    /// What the store held of an issuer from a commit on, as its own log has it.
    case commit(Commit)
    case recovery(Recovery)
    /// Whoever writes the history kept something waiting meanwhile that was due.
    case lag
}

/// A JWT that an agent handed out.
package struct Signature: Codable, Sendable, Equatable {
    package var agent: String
    package var issuer: String
    package var kid: String
    package var jti: String
    /// In seconds since 1970.
    package var expiresAt: Int64
    package var jwt: String

    package init(agent: String, issuer: String, kid: String, jti: String, expiresAt: Int64, jwt: String) {
        (self.agent, self.issuer, self.kid, self.jti, self.expiresAt, self.jwt) = (agent, issuer, kid, jti, expiresAt, jwt)
    }
}

package struct Refusal: Codable, Sendable, Equatable {
    /// An agent or a frontend.
    package var by: String
    package var method: String
    package var reason: String

    package init(by: String, method: String, reason: String) {
        (self.by, self.method, self.reason) = (by, method, reason)
    }
}

/// A change that somebody asked an agent for.
package struct Change: Codable, Sendable, Equatable {
    package enum Kind: String, Codable, Sendable {
        case create, rotate, revoke, update, delete
    }

    package enum Outcome: Codable, Sendable, Equatable {
        case done(ChangeReply)
        /// Nothing was changed, as the agent says.
        case refused(String)
        /// It may have been carried out, and may still be, at any time after it began.
        case unknown(String)
    }

    package var kind: Kind
    package var agent: String
    package var issuer: String
    /// Of the key to be revoked.
    package var kid: String?
    package var ifGeneration: Int?
    /// It was not to revoke anything.
    package var isGentle: Bool
    package var outcome: Outcome

    package init(
        _ kind: Kind, agent: String, issuer: String, kid: String? = nil, ifGeneration: Int? = nil, isGentle: Bool = false,
        _ outcome: Outcome
    ) {
        (self.kind, self.agent, self.issuer, self.kid) = (kind, agent, issuer, kid)
        (self.ifGeneration, self.isGentle, self.outcome) = (ifGeneration, isGentle, outcome)
    }
}

/// What an agent said of a change that it had made.
package struct ChangeReply: Codable, Sendable, Equatable {
    /// Nil for an issuer that is gone.
    package var generation: Int?
    package var activeKid: String?
    package var revoked: [String]
    /// Of the key that became the retiring one.
    package var retiringKid: String?
    /// Until when that one stays, in seconds since 1970.
    package var retiringUntil: Int64?
    /// How a fresh key was made known; nil where none was needed.
    package var publication: String?
    package var exposureSeconds: Int
    /// Nil from an agent that has its store for itself: its reply follows all that it settles.
    package var settlement: Settlement?
    package var warnings: [String]

    package init(
        generation: Int? = nil, activeKid: String? = nil, revoked: [String] = [], retiringKid: String? = nil,
        retiringUntil: Int64? = nil, publication: String? = nil, exposureSeconds: Int = 0, settlement: Settlement? = nil,
        warnings: [String] = []
    ) {
        (self.generation, self.activeKid, self.revoked) = (generation, activeKid, revoked)
        (self.retiringKid, self.retiringUntil, self.publication) = (retiringKid, retiringUntil, publication)
        (self.exposureSeconds, self.settlement, self.warnings) = (exposureSeconds, settlement, warnings)
    }
}

/// Which agents go by a change, as the reply to it says.
package struct Settlement: Codable, Sendable, Equatable {
    /// An agent other than the one that replies.
    package struct Agent: Codable, Sendable, Equatable {
        package var agent: String
        /// `acknowledged`, `left`, `waited-out`, or `pending` for one that may go on. The set is open.
        package var outcome: String

        package init(_ agent: String, _ outcome: String) { (self.agent, self.outcome) = (agent, outcome) }
    }

    package var settled: Bool
    package var agents: [Agent]

    package init(settled: Bool, agents: [Agent] = []) { (self.settled, self.agents) = (settled, agents) }

    /// Whether a reply by `replier` promises that an agent goes by the change. Of one that it does not name nothing is promised,
    /// unless all of it has settled.
    package func covers(_ agent: String, repliedBy replier: String) -> Bool {
        settled || agent == replier
            || agents.contains { $0.agent == agent && ["acknowledged", "left", "waited-out"].contains($0.outcome) }
    }
}

/// An issuer's keys as an agent showed them, at one generation.
package struct Ring: Codable, Sendable, Equatable {
    package struct Key: Codable, Sendable, Equatable {
        package var kid: String
        package var state: String
        /// Of a retiring key, in seconds since 1970.
        package var expiresAt: Int64?
        package var jwk: String
        /// The agent read the private half's attributes from the token just then.
        package var isHeld: Bool

        package init(kid: String, state: String, expiresAt: Int64? = nil, jwk: String = "", isHeld: Bool = false) {
            (self.kid, self.state, self.expiresAt, self.jwk, self.isHeld) = (kid, state, expiresAt, jwk, isHeld)
        }
    }

    package var agent: String
    package var issuer: String
    package var generation: Int
    package var activeKid: String
    package var keys: [Key]

    package init(agent: String, issuer: String, generation: Int, activeKid: String, keys: [Key]) {
        (self.agent, self.issuer, self.generation, self.activeKid, self.keys) = (agent, issuer, generation, activeKid, keys)
    }
}

/// A key set fetched from a frontend, with `/readyz` asked before and after it.
package struct DocumentFetch: Codable, Sendable, Equatable {
    package var frontend: String
    package var issuer: String
    package var status: Int
    /// It counted as fresh before and after.
    package var isFresh: Bool
    package var maxAge: Int?
    /// Nil unless the status is 200.
    package var keySet: Int?

    package init(frontend: String, issuer: String, status: Int = 200, isFresh: Bool = true, maxAge: Int? = nil, keySet: Int?) {
        (self.frontend, self.issuer, self.status) = (frontend, issuer, status)
        (self.isFresh, self.maxAge, self.keySet) = (isFresh, maxAge, keySet)
    }
}

/// What was done to a part of the fleet.
package struct Deed: Codable, Sendable, Equatable {
    /// `kill`, `stop`, `continue`, `cut`: the set is open, and only told.
    package var name: String
    /// Agents, members or frontends.
    package var targets: [String]

    package init(_ name: String, _ targets: [String]) { (self.name, self.targets) = (name, targets) }
}

/// What token and store hold at an end, each read without an agent.
package struct Inventory: Codable, Sendable, Equatable {
    package struct Key: Codable, Sendable, Equatable {
        package var kid: String
        /// In hexadecimal.
        package var keyID: String

        package init(kid: String, keyID: String) { (self.kid, self.keyID) = (kid, keyID) }
    }

    /// `CKA_ID`s of private keys on the token, in hexadecimal.
    package var privateKeys: Set<String>
    /// Published keys of the store's rings.
    package var live: [Key]
    /// `CKA_ID`s that the store accounts for otherwise: intents, destructions to come, keys in quarantine.
    package var pending: Set<String>
    /// `CKA_ID`s of keys that a recovery has put in quarantine, until an operator revokes them. Nil where one agent has token and store
    /// for itself.
    package var aside: Set<String>?
    /// Private keys on the token that have no `CKA_ID`, and were made all the same.
    package var nameless: Int
    /// Nothing is under way any more: what is pending, is left over.
    package var isSettled: Bool

    package init(
        privateKeys: Set<String>, live: [Key], pending: Set<String> = [], aside: Set<String>? = nil, nameless: Int = 0,
        isSettled: Bool = true
    ) {
        (self.privateKeys, self.live, self.pending, self.aside) = (privateKeys, live, pending, aside)
        (self.nameless, self.isSettled) = (nameless, isSettled)
    }
}

/// A state of an issuer in the store. It came to be after the store's log had last been read before, and before this was read.
package struct Commit: Codable, Sendable, Equatable {
    package struct Key: Codable, Sendable, Equatable {
        package var kid: String
        package var state: String
        /// Of a retiring key, in seconds since 1970.
        package var expiresAt: Int64?

        package init(kid: String, state: String, expiresAt: Int64? = nil) {
            (self.kid, self.state, self.expiresAt) = (kid, state, expiresAt)
        }
    }

    package var issuer: String
    /// Nil for one that is gone.
    package var generation: Int?
    /// The published ones.
    package var keys: [Key]

    package init(issuer: String, generation: Int?, keys: [Key]) {
        (self.issuer, self.generation, self.keys) = (issuer, generation, keys)
    }
}

/// The store was put back to an earlier day, which is when this begins, and an operator has decided about it with no agent running,
/// which is when it ends. Generations begin anew with it.
package struct Recovery: Codable, Sendable, Equatable {
    /// What became of an issuer of which token and store said something else.
    package struct Issuer: Codable, Sendable, Equatable {
        package var name: String
        /// A fresh one.
        package var activeKid: String
        /// Keys that were published before and do not come back.
        package var revoked: [String]

        package init(_ name: String, activeKid: String, revoked: [String]) {
            (self.name, self.activeKid, self.revoked) = (name, activeKid, revoked)
        }
    }

    package var issuers: [Issuer]
    /// From when no agent can go by what was before any more.
    package var doubtedFrom: Moment
    /// When all of them had ended.
    package var until: Moment

    package init(_ issuers: [Issuer], doubtedFrom: Moment, until: Moment) {
        (self.issuers, self.doubtedFrom, self.until) = (issuers, doubtedFrom, until)
    }
}
