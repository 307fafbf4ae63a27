import Platform

/// Who is connected, what each connection is in the middle of since when, and which one has to go.
///
/// A pure value: it closes nothing and reads no clock, times are nanoseconds of one that never goes back. Everything takes the same
/// time however many connections there are, but for a look at those of one address when that is at its limit.
struct ConnectionTable<Connection> {
    /// What a connection is in the middle of.
    enum Phase: Int, CaseIterable {
        /// Of nothing: its next request has not begun.
        case idle
        /// Of a request that has not come to its end, or of its own beginning.
        case request
        /// Of an answer that its client does not take.
        case answer
    }

    /// One of the connections; of no meaning once it was removed.
    struct ID: Hashable {
        fileprivate let slot: Int
        fileprivate let generation: Int
    }

    private struct Slot {
        var generation = 0
        var connection: Connection?
        var address: IPAddress?
        /// Nil once it has to go.
        var phase: Phase?
        var since: Int64 = 0
        /// The neighbours among those in the same phase.
        var earlier: Int?
        var later: Int?
    }

    /// Those in one phase, by when they came into it.
    private struct Order {
        var earliest: Int?
        var latest: Int?
    }

    private let limits: ConnectionLimits
    private var slots: [Slot] = []
    private var free: [Int] = []
    private var orders = [Order](repeating: Order(), count: Phase.allCases.count)
    private var byAddress: [IPAddress: [Int]] = [:]
    /// How many there are that have not been told to go.
    private(set) var count = 0

    init(_ limits: ConnectionLimits) {
        self.limits = limits
    }

    /// Takes a connection in, which is in the middle of its first request, and returns the one that has to go for it, if any.
    mutating func admit(
        _ connection: Connection, from address: IPAddress?, at time: Int64
    ) -> (id: ID, displaced: Connection?) {
        let counted = address.flatMap { address in
            limits.trustedProxies.contains { $0.contains(address) } ? nil : address.subscriber
        }
        let displaced = count >= limits.total || isFull(counted) ? displace(from: counted) : nil
        let slot = free.popLast() ?? slots.count
        if slot == slots.count { slots.append(Slot()) }
        slots[slot].generation += 1
        slots[slot].connection = connection
        slots[slot].address = counted
        if let counted { byAddress[counted, default: []].append(slot) }
        count += 1
        append(slot, to: .request, at: time)
        return (ID(slot: slot, generation: slots[slot].generation), displaced)
    }

    /// Notes what a connection is in the middle of from now on; of no effect on one that has to go.
    mutating func enter(_ phase: Phase, _ id: ID, at time: Int64) {
        guard isKnown(id), slots[id.slot].phase != nil else { return }
        unlink(id.slot)
        append(id.slot, to: phase, at: time)
    }

    /// Forgets a connection that has been closed.
    mutating func remove(_ id: ID) {
        guard isKnown(id) else { return }
        if slots[id.slot].phase != nil { dismiss(id.slot) }
        slots[id.slot].connection = nil
        free.append(id.slot)
    }

    /// The connections whose time is over; they have to go.
    mutating func overdue(at time: Int64) -> [Connection] {
        var all: [Connection] = []
        for phase in Phase.allCases {
            while let slot = orders[phase.rawValue].earliest, time - slots[slot].since >= limits.nanoseconds(for: phase) {
                if let connection = dismiss(slot) { all.append(connection) }
            }
        }
        return all
    }

    private func isKnown(_ id: ID) -> Bool {
        slots[id.slot].generation == id.generation && slots[id.slot].connection != nil
    }

    private func isFull(_ address: IPAddress?) -> Bool {
        address.flatMap { byAddress[$0]?.count } ?? 0 >= limits.perAddress
    }

    /// Finds a place for a newcomer: among those of its address where that is at its limit, or else among all.
    private mutating func displace(from address: IPAddress?) -> Connection? {
        let slot: Int?
        if let address, isFull(address) {
            slot = byAddress[address]?.min(by: goesBefore)
        } else {
            let busy = [Phase.request, .answer].compactMap { orders[$0.rawValue].earliest }
            slot = orders[Phase.idle.rawValue].earliest ?? busy.min(by: goesBefore)
        }
        return slot.flatMap { dismiss($0) }
    }

    /// Idle ones first, and of all others the one that has been at it longest.
    private func goesBefore(_ one: Int, _ other: Int) -> Bool {
        let (one, other) = (slots[one], slots[other])
        if (one.phase == .idle) != (other.phase == .idle) { return one.phase == .idle }
        return one.since < other.since
    }

    /// From here on it counts for nothing; returns what is to be closed.
    @discardableResult
    private mutating func dismiss(_ slot: Int) -> Connection? {
        unlink(slot)
        slots[slot].phase = nil
        count -= 1
        if let address = slots[slot].address {
            byAddress[address]?.removeAll { $0 == slot }
            if byAddress[address]?.isEmpty == true { byAddress[address] = nil }
        }
        return slots[slot].connection
    }

    private mutating func append(_ slot: Int, to phase: Phase, at time: Int64) {
        slots[slot].phase = phase
        slots[slot].since = time
        let last = orders[phase.rawValue].latest
        slots[slot].earlier = last
        slots[slot].later = nil
        if let last { slots[last].later = slot } else { orders[phase.rawValue].earliest = slot }
        orders[phase.rawValue].latest = slot
    }

    private mutating func unlink(_ slot: Int) {
        guard let phase = slots[slot].phase else { return }
        let (earlier, later) = (slots[slot].earlier, slots[slot].later)
        if let earlier { slots[earlier].later = later } else { orders[phase.rawValue].earliest = later }
        if let later { slots[later].earlier = earlier } else { orders[phase.rawValue].latest = earlier }
    }
}

extension ConnectionLimits {
    fileprivate func nanoseconds<Connection>(for phase: ConnectionTable<Connection>.Phase) -> Int64 {
        switch phase {
        case .idle: idle.nanoseconds
        case .request: request.nanoseconds
        case .answer: answer.nanoseconds
        }
    }
}
