/// How many connections there are and of which parties, and the rules by which there may be another.
struct ConnectionPlaces: Sendable {
    /// What came of asking for a place.
    enum Answer: Equatable, Sendable {
        case taken
        /// The party, or the user, has as many as it may.
        case refused(String)
        /// All places are taken. This party has so many more of them that it is fair to take one.
        case full(String, mostOf: Party?)
    }

    /// Connections there may be in all.
    let total: Int
    private(set) var count = 0
    private var byParty: [Party: Int] = [:]
    /// Connections of strangers, by user.
    private var byStranger: [UInt32: Int] = [:]

    /// Connections of all strangers together.
    static let mostOfStrangers = 16

    init(total: Int) {
        self.total = total
    }

    func count(of party: Party) -> Int { byParty[party, default: 0] }

    /// Gives a place, or says why there is none.
    ///
    /// - Parameter allowed: connections that the user may have.
    mutating func take(for party: Party, uid: UInt32, allowed: Int) -> Answer {
        let isStranger = party == .strangers
        let own = isStranger ? byStranger[uid, default: 0] : count(of: party)
        if own >= allowed { return .refused("uid \(uid) has \(allowed) connections already") }
        if isStranger, count(of: party) >= Self.mostOfStrangers {
            return .refused("users without an access rule have \(Self.mostOfStrangers) connections already")
        }
        if count >= total {
            let most = byParty.max { $0.value < $1.value }
            return .full(
                "the agent has \(total) connections already", mostOf: most.flatMap { $0.value > own + 1 ? $0.key : nil })
        }
        count += 1
        byParty[party, default: 0] += 1
        if isStranger { byStranger[uid, default: 0] += 1 }
        return .taken
    }

    mutating func giveBack(_ party: Party, uid: UInt32) {
        count -= 1
        byParty[party] = Self.oneLess(byParty[party])
        if party == .strangers { byStranger[uid] = Self.oneLess(byStranger[uid]) }
    }

    private static func oneLess(_ count: Int?) -> Int? {
        guard let count, count > 1 else { return nil }
        return count - 1
    }
}
