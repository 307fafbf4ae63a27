import Platform
import Testing

@testable import OIDCFrontend

@Suite("Who is connected, and who has to go")
struct ConnectionTableTests {
    private static let proxy = IPNetwork("10.0.0.0/8")!
    private static let limits = ConnectionLimits(total: 4, perAddress: 2, trustedProxies: [proxy])

    @Test("there is room for everyone up to the limit, and then a newcomer takes the place of whoever was idle longest")
    func idleFirst() {
        var table = ConnectionTable<String>(Self.limits)
        let ids = Dictionary(uniqueKeysWithValues: ["a", "b", "c", "d"].map { ($0, admit(&table, $0, at: 1).id) })
        #expect(table.count == 4)
        table.enter(.idle, ids["c"]!, at: 7)
        table.enter(.idle, ids["b"]!, at: 8)
        // Idle since later than c and b, for all that it was so before.
        table.enter(.idle, ids["a"]!, at: 2)
        table.enter(.request, ids["a"]!, at: 3)
        table.enter(.idle, ids["a"]!, at: 9)
        #expect(["e", "f", "g"].map { admit(&table, $0, at: 10).displaced } == ["c", "b", "a"])
        #expect(table.count == 4)
    }

    @Test("where nobody is idle, whoever has been longest in the middle of a request or an answer goes")
    func busy() {
        var table = ConnectionTable<String>(Self.limits)
        let ids = ["a", "b", "c", "d"].enumerated().map { admit(&table, $1, at: Int64($0)).id }
        table.enter(.answer, ids[0], at: 10)
        table.enter(.answer, ids[2], at: 11)
        #expect(["e", "f", "g", "h", "i"].map { admit(&table, $0, at: 20).displaced } == ["b", "d", "a", "c", "e"])
    }

    @Test("an address that is at its limit makes room among its own, idle ones first, and leaves all others alone")
    func perAddress() {
        var table = ConnectionTable<String>(Self.limits)
        let other = admit(&table, "other", "192.0.2.9", at: 0)
        table.enter(.idle, other.id, at: 0)
        _ = admit(&table, "a", "192.0.2.1", at: 1)
        let second = admit(&table, "b", "192.0.2.1", at: 2)
        #expect(second.displaced == nil)
        #expect(admit(&table, "c", "192.0.2.1", at: 3).displaced == "a")
        table.enter(.idle, second.id, at: 9)
        #expect(admit(&table, "d", "192.0.2.1", at: 10).displaced == "b")
        #expect(admit(&table, "e", "192.0.2.1", at: 10).displaced == "c")
        #expect(table.count == 3)
    }

    @Test("with IPv6 a /64 is one address, and an address of IPv4 is itself however it is written")
    func subscribers() {
        var table = ConnectionTable<String>(ConnectionLimits(total: 9, perAddress: 1, trustedProxies: []))
        #expect(admit(&table, "a", "2001:db8::1", at: 0).displaced == nil)
        #expect(admit(&table, "b", "2001:db8::ffff:2", at: 0).displaced == "a")
        #expect(admit(&table, "c", "2001:db8:0:1::1", at: 0).displaced == nil)
        #expect(admit(&table, "d", "192.0.2.1", at: 0).displaced == nil)
        #expect(admit(&table, "e", "::ffff:192.0.2.1", at: 0).displaced == "d")
    }

    @Test("a trusted proxy, and who has no address, are bound by the limit of all alone")
    func trusted() {
        var table = ConnectionTable<String>(Self.limits)
        #expect(["a", "b", "c"].map { admit(&table, $0, "10.1.2.3", at: 0).displaced } == [nil, nil, nil])
        #expect(admit(&table, "d", nil, at: 0).displaced == nil)
        #expect(admit(&table, "e", "10.1.2.3", at: 0).displaced == "a")
    }

    @Test("each phase has its time, counted from when it was entered")
    func overdue() {
        var table = ConnectionTable<String>(
            ConnectionLimits(request: .seconds(10), idle: .seconds(60), answer: .seconds(30)))
        let second: Int64 = 1_000_000_000
        let ids = ["slow", "idle", "deaf"].map { admit(&table, $0, at: 0).id }
        table.enter(.idle, ids[1], at: second)
        table.enter(.answer, ids[2], at: 2 * second)
        #expect(table.overdue(at: 10 * second - 1) == [])
        #expect(table.overdue(at: 10 * second) == ["slow"])
        #expect(table.overdue(at: 31 * second) == [])
        #expect(table.overdue(at: 32 * second) == ["deaf"])
        #expect(table.overdue(at: 61 * second) == ["idle"])
        #expect(table.overdue(at: 900 * second) == [])
        #expect(table.count == 0)
    }

    @Test("one that was told to go counts for nothing, whatever it does before it is closed, and its place is used again")
    func dismissed() {
        var table = ConnectionTable<String>(ConnectionLimits(total: 1, perAddress: 1, trustedProxies: []))
        let first = admit(&table, "a", "192.0.2.1", at: 0).id
        #expect(admit(&table, "b", "192.0.2.1", at: 1).displaced == "a")
        table.enter(.idle, first, at: 2)
        table.remove(first)
        table.remove(first)
        // In the place of the first.
        let third = admit(&table, "c", "192.0.2.1", at: 3)
        #expect(third.displaced == "b")
        table.enter(.idle, first, at: 0)
        #expect(table.overdue(at: 5_000_000_000) == [])
        table.remove(first)
        #expect(table.count == 1)
        table.remove(third.id)
        #expect(table.count == 0)
    }

    @Test("a thousand comings and goings leave the table as they should")
    func walk() {
        var table = ConnectionTable<Int>(ConnectionLimits(total: 7, perAddress: 3, trustedProxies: []))
        var random = SystemRandomNumberGenerator()
        var open: [Int: ConnectionTable<Int>.ID] = [:]
        var dismissed: [Int: ConnectionTable<Int>.ID] = [:]
        for step in 0..<1_000 {
            switch Int.random(in: 0..<4, using: &random) {
            case 0, 1:
                let address = IPAddress("192.0.2.\(Int.random(in: 0..<4, using: &random))")
                let (id, displaced) = table.admit(step, from: address, at: Int64(step))
                if let displaced { dismissed[displaced] = open.removeValue(forKey: displaced) }
                open[step] = id
            case 2:
                let phase = ConnectionTable<Int>.Phase.allCases.randomElement(using: &random)!
                if let any = (open.merging(dismissed) { one, _ in one }).randomElement(using: &random) {
                    table.enter(phase, any.value, at: Int64(step))
                }
            default:
                if let any = open.randomElement(using: &random) { table.remove(open.removeValue(forKey: any.key)!) }
                if let any = dismissed.randomElement(using: &random) { table.remove(dismissed.removeValue(forKey: any.key)!) }
            }
            #expect(table.count == open.count && open.count <= 7)
        }
        #expect(Set(table.overdue(at: .max / 2)) == Set(open.keys))
    }

    private func admit(
        _ table: inout ConnectionTable<String>, _ name: String, _ address: String? = nil, at time: Int64
    ) -> (id: ConnectionTable<String>.ID, displaced: String?) {
        table.admit(name, from: address.flatMap { IPAddress($0) }, at: time)
    }
}

@Suite("Limits of connections, and what there are descriptors for")
struct ConnectionLimitsTests {
    @Test("fewer descriptors than the limit wants are fewer connections, and a warning that names what to change")
    func fitting() throws {
        let limits = ConnectionLimits(total: 1_000)
        let reserve = ConnectionLimits.reserve
        let enough = DescriptorLimit(soft: 1_000 + reserve, hard: 9_999)
        #expect(try limits.fitting(enough).total == 1_000)
        #expect(limits.warning(enough) == nil)
        let few = DescriptorLimit(soft: 100 + reserve, hard: 9_999)
        #expect(try limits.fitting(few).total == 100)
        let warning = try #require(limits.warning(few))
        #expect(
            warning.message
                == "the process may open \(100 + reserve) files and connections: 100 connections are served at a time, not 1000")
        #expect(warning.hint.contains("LimitNOFILE=") && warning.hint.contains("limits.connections"))
    }

    @Test("with too few for any use the frontend does not start")
    func tooFew() throws {
        let least = ConnectionLimits.reserve + ConnectionLimits.fewest
        #expect(try ConnectionLimits().fitting(DescriptorLimit(soft: least, hard: least)).total == ConnectionLimits.fewest)
        let error = #expect(throws: FrontendError.self) {
            try ConnectionLimits().fitting(DescriptorLimit(soft: least - 1, hard: least - 1))
        }
        #expect(error?.code == .tooFewDescriptors)
        #expect(error?.hint.contains("\(least)") == true)
    }
}
