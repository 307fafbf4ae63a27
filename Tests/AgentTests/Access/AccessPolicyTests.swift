import AgentProtocol
import Testing

@testable import Agent

@Suite("Access rules")
struct AccessPolicyTests {
    private static func globs(_ texts: String...) -> [Glob] { texts.compactMap(Glob.init) }

    /// The rules of the configuration's example, and a group of operators.
    static let policy: AccessPolicy = {
        let frontend = AccessRule(
            name: "frontend", user: 101, methods: [.getDiscovery, .watch, .issuerStatus, .issuerList, .health, .metrics])
        let operators = AccessRule(name: "operators", group: 500, methods: nil)
        var payments = AccessRule(name: "payments", user: 102, methods: [.sign, .issuerStatus])
        payments.issuers = globs("prod")
        payments.subjects = globs("system:serviceaccount:payments:*")
        payments.audiences = globs("api://AzureADTokenExchange", "sts.amazonaws.com")
        payments.claims = ["groups"]
        payments.maximumLifetime = 3_600
        var staging = AccessRule(name: "staging", user: 103, group: 600, methods: [.sign, .listKeys, .issuerList, .reconcile])
        staging.issuers = globs("staging-*")
        let strangers = AccessRule(name: "strangers", group: 65_533, methods: nil)
        return AccessPolicy(
            rules: [frontend, operators, payments, staging, strangers], overflowUID: 65_534, overflowGID: 65_533)
    }()

    struct Row: Sendable, CustomTestStringConvertible {
        let caller: Caller
        let method: Method
        let issuer: String?
        /// The rule that decides; `nil` for a denial.
        let rule: String?
        var testDescription: String { "\(caller), groups \(caller.groups), \(method) \(issuer ?? "-"): \(rule ?? "denied")" }

        init(_ uid: UInt32, _ gid: UInt32, in groups: [UInt32] = [], _ method: Method, _ issuer: String?, _ rule: String?) {
            caller = Caller(uid: uid, gid: gid, pid: 1, groups: groups)
            self.method = method
            self.issuer = issuer
            self.rule = rule
        }
    }

    static let table = [
        Row(101, 101, .watch, nil, "frontend"),
        Row(101, 101, .getDiscovery, "prod", "frontend"),
        Row(101, 101, .metrics, nil, "frontend"),
        Row(101, 101, .sign, "prod", nil),
        Row(101, 101, .rotate, "prod", nil),
        Row(7, 500, .rotate, "prod", "operators"),
        Row(7, 9, in: [3, 500], .issuerDelete, "anything", "operators"),
        Row(7, 9, in: [3, 501], .issuerDelete, "anything", nil),
        // Root is nobody in particular.
        Row(0, 0, .health, nil, nil),
        Row(0, 0, in: [500], .health, nil, "operators"),
        Row(102, 102, .sign, "prod", "payments"),
        Row(102, 102, .sign, "staging-1", nil),
        Row(102, 102, .issuerStatus, "prod", "payments"),
        Row(102, 102, .issuerList, nil, nil),
        Row(102, 102, .health, nil, nil),
        // User and group together mean both.
        Row(103, 103, .sign, "staging-1", nil),
        Row(104, 600, .sign, "staging-1", nil),
        Row(103, 600, .sign, "staging-1", "staging"),
        Row(103, 1, in: [600], .sign, "staging-1", "staging"),
        Row(103, 600, .sign, "prod", nil),
        Row(103, 600, .listKeys, nil, "staging"),
        // What is about the whole agent is not for a rule about some issuers.
        Row(103, 600, .reconcile, nil, nil),
        // The user of another namespace, whatever its groups, and one with a group of another.
        Row(65_534, 500, in: [500], .health, nil, nil),
        Row(7, 65_533, in: [65_533], .health, nil, nil),
    ]

    @Test("the first rule that matches decides, and nothing else is allowed", arguments: table)
    func decision(row: Row) {
        let place = Self.policy.deciding(row.caller, row.method, issuer: row.issuer)
        #expect(place.map { Self.policy.rules[$0].name } == row.rule)
    }

    @Test("an earlier rule wins, also one that bounds more")
    func order() {
        var narrow = AccessRule(name: "narrow", user: 1, methods: [.sign])
        narrow.subjects = Self.globs("a")
        let wide = AccessRule(name: "wide", user: 1, methods: nil)
        let policy = AccessPolicy(rules: [narrow, wide], overflowUID: 65_534, overflowGID: 65_533)
        let caller = Caller(uid: 1, gid: 1, pid: 1)
        #expect(policy.deciding(caller, .sign, issuer: "demo") == 0)
        #expect(policy.deciding(caller, .rotate, issuer: "demo") == 1)
    }

    struct Wanted: Sendable, CustomTestStringConvertible {
        let subject: String?
        let audience: [String]
        let claims: [String]
        /// What the refusal names; `nil` for none.
        let refused: String?
        var testDescription: String { "\(subject ?? "-") \(audience) \(claims): \(refused ?? "allowed")" }

        init(_ subject: String?, _ audience: [String], with claims: [String] = [], _ refused: String?) {
            self.subject = subject
            self.audience = audience
            self.claims = claims
            self.refused = refused
        }
    }

    static let wanted = [
        Wanted("system:serviceaccount:payments:api", ["sts.amazonaws.com"], nil),
        Wanted("system:serviceaccount:payments:", ["sts.amazonaws.com"], nil),
        Wanted("system:serviceaccount:payments:api", ["sts.amazonaws.com", "api://AzureADTokenExchange"], with: ["groups"], nil),
        Wanted("system:serviceaccount:shop:api", ["sts.amazonaws.com"], "subject \"system:serviceaccount:shop:api\""),
        Wanted("SYSTEM:serviceaccount:payments:api", ["sts.amazonaws.com"], "subject"),
        Wanted(nil, ["sts.amazonaws.com"], "without sub"),
        Wanted("system:serviceaccount:payments:api", ["sts.amazonaws.com", "other"], "audience \"other\""),
        Wanted("system:serviceaccount:payments:api", ["sts.amazonaws.com.evil"], "audience"),
        Wanted("system:serviceaccount:payments:api", ["sts.amazonaws.com"], with: ["groups", "admin"], "claim \"admin\""),
    ]

    @Test("what is signed is held against the rule's bounds, and a refusal names what was refused", arguments: wanted)
    func bounds(wanted: Wanted) throws {
        let rule = Self.policy.rules[2]
        let claims = wanted.claims
        let facts = SignatureFacts(subject: wanted.subject, audience: wanted.audience) { claims }
        do {
            try rule.check(facts)
            #expect(wanted.refused == nil)
        } catch {
            #expect(error.reason == .permissionDenied)
            #expect(error.message.contains(try #require(wanted.refused, "refused: \(error.message)")))
        }
    }

    @Test("a lifetime over the rule's is refused, never shortened")
    func lifetime() throws {
        let rule = Self.policy.rules[2]
        try rule.check(lifetime: 3_600)
        let error = #expect(throws: ProtocolError.self) { try rule.check(lifetime: 3_601) }
        #expect(error?.reason == .tokenLifetimeExceeded)
    }

    @Test(
        "stars stand for any characters and nothing else does",
        arguments: [
            ("a", "a", true), ("a", "ab", false), ("*", "", true), ("*", "anything", true), ("a*", "a", true),
            ("a*", "ba", false),
            ("*a", "ba", true), ("*a", "ab", false), ("a*b", "ab", true), ("a*b", "aXb", true), ("a*a", "a", false),
            ("a*b*c", "aXbYc", true), ("a*b*c", "aXcYb", false), ("a*bb*b", "abbb", true), ("a*bb*b", "abb", false),
            ("**", "x", true), ("é*", "éa", true), ("a.c", "abc", false),
        ])
    func globs(pattern: String, text: String, matches: Bool) throws {
        #expect(try #require(Glob(pattern)).matches(text) == matches)
    }

    @Test("other wildcards are no patterns", arguments: ["", "a?", "[ab]", "{a,b}", "a\\*"])
    func otherWildcards(text: String) {
        #expect(Glob(text) == nil)
    }

    @Test("a rule that an earlier one takes away from is found")
    func shadows() {
        let all = AccessRule(name: "all", user: 1, methods: nil)
        let some = AccessRule(name: "some", user: 1, methods: [.sign, .health])
        var prod = AccessRule(name: "prod", user: 1, methods: [.sign])
        prod.issuers = Self.globs("prod")
        let other = AccessRule(name: "other", user: 2, methods: nil)
        #expect(all.shadow(of: some) == .whole)
        #expect(some.shadow(of: all) == .methods([.health, .sign]))
        #expect(some.shadow(of: prod) == .whole)
        #expect(prod.shadow(of: some) == nil)
        #expect(all.shadow(of: other) == nil)
    }
}

@Suite("Rates of access rules")
struct RateLimiterTests {
    @Test("a burst is admitted, then as many as the rate says, for each user and rule by itself")
    func bucket() {
        let clock = TestClock()
        let limiter = RateLimiter(clock: clock.agentClock)
        let rate = AccessRule.Rate(perSecond: 2, burst: 3)
        func admitted(_ uid: UInt32, rule: Int = 0) -> Int { (1...10).count { _ in limiter.admit(uid, rule: rule, rate) } }
        #expect(admitted(1) == 3)
        #expect(admitted(2) == 3)
        #expect(admitted(1, rule: 1) == 3)
        clock.pass(1)
        #expect(admitted(1) == 2)
        clock.pass(1_000_000)
        #expect(admitted(1) == 3)
    }

    @Test("a reload leaves in the buckets what is in them, wherever the rule stands then and whatever its rate")
    func reload() {
        let clock = TestClock()
        let limiter = RateLimiter(clock: clock.agentClock)
        func rule(_ user: UInt32, _ perSecond: Int, _ burst: Int) -> AccessRule {
            var rule = AccessRule(name: "user \(user)", user: user, methods: [.sign])
            rule.rate = AccessRule.Rate(perSecond: perSecond, burst: burst)
            return rule
        }
        var rules = [rule(1, 2, 4), rule(2, 2, 4)]
        func admitted(_ uid: UInt32) -> Int {
            let place = rules.firstIndex { $0.user == uid } ?? 0
            return (1...20).count { _ in limiter.admit(uid, rule: place, rules[place].rate ?? .init(perSecond: 0, burst: 0)) }
        }
        func reload(_ next: [AccessRule]) {
            limiter.carryOver(from: rules, to: next)
            rules = next
        }
        #expect(admitted(1) == 4)
        #expect(limiter.admit(2, rule: 1, .init(perSecond: 2, burst: 4)))
        // The same again, and in another place beside others.
        reload(rules)
        #expect(admitted(1) == 0)
        reload([rule(3, 1, 1), rules[1], rules[0]])
        #expect(admitted(1) == 0)
        #expect(admitted(2) == 3)
        // Time counts by the rate of before up to the reload, and by the new one after it; a smaller bucket holds less.
        clock.pass(1)
        reload([rule(1, 10, 20), rule(2, 1, 1)])
        #expect(admitted(1) == 2)
        #expect(admitted(2) == 1)
        clock.pass(1)
        #expect(admitted(1) == 10)
        // One that is for other requests is another rule.
        var other = rule(1, 10, 20)
        other.methods = nil
        reload([other])
        #expect(admitted(1) == 20)
    }
}
