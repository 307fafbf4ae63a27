import Testing

@testable import Agent

@Suite struct ConnectionPlacesTests {
    private let full = "the agent has 4 connections already"

    private func take(_ places: inout ConnectionPlaces, _ uid: UInt32, allowed: Int = 3) -> ConnectionPlaces.Answer {
        places.take(for: .user(uid), uid: uid, allowed: allowed)
    }

    @Test func `A user has as many connections as it may, and another when one has gone`() {
        var places = ConnectionPlaces(total: 10)
        for _ in 1...3 { #expect(take(&places, 1) == .taken) }
        #expect(take(&places, 1) == .refused("uid 1 has 3 connections already"))
        #expect(take(&places, 2) == .taken && places.count == 4)
        places.giveBack(.user(1), uid: 1)
        #expect(take(&places, 1) == .taken && places.count(of: .user(1)) == 3)
    }

    @Test func `When all places are taken, the party with the most is named, where it has at least two more`() {
        var places = ConnectionPlaces(total: 4)
        for uid: UInt32 in [1, 1, 1, 2] { #expect(take(&places, uid) == .taken) }
        #expect(take(&places, 2) == .full(full, mostOf: .user(1)))
        #expect(take(&places, 3) == .full(full, mostOf: .user(1)))
        places.giveBack(.user(1), uid: 1)
        #expect(take(&places, 2) == .taken)
        #expect(take(&places, 2) == .full(full, mostOf: nil))
        #expect(take(&places, 3) == .full(full, mostOf: .user(1)) || take(&places, 3) == .full(full, mostOf: .user(2)))
    }

    @Test func `Strangers have so many for each user, and so many together, and count as one party`() {
        var places = ConnectionPlaces(total: 100)
        func take(_ uid: UInt32) -> ConnectionPlaces.Answer { places.take(for: .strangers, uid: uid, allowed: 4) }
        for uid: UInt32 in 1...4 {
            for _ in 1...4 { #expect(take(uid) == .taken) }
            #expect(take(uid) == .refused("uid \(uid) has 4 connections already"))
        }
        #expect(take(5) == .refused("users without an access rule have 16 connections already"))
        places.giveBack(.strangers, uid: 1)
        #expect(take(5) == .taken && places.count(of: .strangers) == ConnectionPlaces.mostOfStrangers)
    }
}
