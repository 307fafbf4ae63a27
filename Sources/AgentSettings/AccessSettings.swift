package import Agent
import AgentProtocol
import DaemonKit
import Platform

/// The `access` section: its rules with names resolved and bounds judged, and what is odd about them.
package struct AccessSettings: Equatable {
    package let rules: [AccessRule]
    /// One line each, with the place in the file.
    package let warnings: [String]

    /// - Throws: `ConfigurationError` with file, line and column.
    init(_ file: [AgentFile.Rule], _ yaml: StrictYAML) throws {
        rules = try file.enumerated().map { place, rule in try AccessRule(rule, AccessPlace(yaml: yaml, number: place)) }
        warnings = Self.strangers(rules) + Self.shadows(rules)
    }

    /// Rules for those whom the kernel has no number for here.
    private static func strangers(_ rules: [AccessRule]) -> [String] {
        let (uid, gid) = (OverflowUser.uid(), OverflowGroup.gid())
        return rules.compactMap { rule in
            guard rule.user == uid || rule.group == gid else { return nil }
            let who = rule.user == uid ? "uid \(uid), which stands for users" : "gid \(gid), which stands for groups"
            return "\(rule.name) is never reached: it is for \(who) of other user namespaces"
        }
    }

    /// Rules, or parts of them, that an earlier rule takes.
    private static func shadows(_ rules: [AccessRule]) -> [String] {
        rules.indices.flatMap { later in
            rules[..<later].compactMap { earlier -> String? in
                switch earlier.shadow(of: rules[later]) {
                case .whole: return "\(rules[later].name) is never reached: \(earlier.name) matches all that it matches"
                case .methods(let methods):
                    let names = methods.map(\.rawValue).joined(separator: ", ")
                    return "\(rules[later].name) overlaps \(earlier.name), which decides \(names)"
                case nil: return nil
                }
            }.prefix(1)
        }
    }
}

/// Where a rule stands in the file.
private struct AccessPlace {
    let yaml: StrictYAML
    let number: Int

    func invalid(_ key: String, _ message: String, hint: String) -> ConfigurationError {
        yaml.invalidValue(at: ["access", "\(number)", key], message, hint: hint)
    }

    func isEmpty(_ key: String) -> Bool {
        yaml.isEmpty(key, at: ["access", "\(number)"])
    }

    /// How logs call the rule.
    var name: String { "access rule \(number + 1) (line \(yaml.line(at: ["access", "\(number)"])))" }
}

extension AccessRule {
    fileprivate init(_ file: AgentFile.Rule, _ place: AccessPlace) throws {
        // An absent bound bounds nothing; one whose value has got lost must not be taken for that.
        for key in AgentFile.Rule.CodingKeys.allCases.map(\.rawValue) where place.isEmpty(key) {
            throw place.invalid(
                key, "\(key) has no value", hint: "give it one, or leave \(key) out where nothing is to be bounded")
        }
        guard file.user != nil || file.group != nil else {
            throw place.invalid("", "a rule is for nobody: it has no user and no group", hint: "give user, group or both")
        }
        self.init(
            name: place.name, user: try file.user.map { try Self.uid($0, place) },
            group: try file.group.map { try Self.gid($0, place) }, methods: try Self.methods(file.allow, place))
        issuers = try Self.globs(file.issuers, "issuers", place)
        subjects = try Self.globs(file.subjects, "subjects", place)
        audiences = try Self.globs(file.audiences, "audiences", place)
        claims = try Self.claims(file.claims, place)
        maximumLifetime = try Self.lifetime(file.maxLifetime, place)
        rate = try Self.rate(file.rate, place)
        connections = try Self.bounded(file.connections, 1...100_000, "connections", place)
    }

    /// A user by name, or by number.
    private static func uid(_ text: String, _ place: AccessPlace) throws -> UInt32 {
        do throws(PlatformError) {
            return try UserAccount.number(of: text)
        } catch {
            throw place.invalid("user", error.message, hint: error.hint)
        }
    }

    private static func gid(_ text: String, _ place: AccessPlace) throws -> UInt32 {
        do throws(PlatformError) {
            return try GroupAccount.number(of: text)
        } catch {
            throw place.invalid("group", error.message, hint: error.hint)
        }
    }

    private static func methods(_ names: [String], _ place: AccessPlace) throws -> Set<Method>? {
        guard !names.isEmpty else {
            throw place.invalid(
                "allow", "a rule allows nothing", hint: "name methods, or \"*\" for all; what no rule allows is denied")
        }
        if names == ["*"] { return nil }
        for name in names where !Method.all.contains(Method(rawValue: name)) {
            throw place.invalid(
                "allow", name == "*" ? "\"*\" stands beside other methods" : "there is no method \"\(name)\"",
                hint: "the methods are \(Method.all.map(\.rawValue).joined(separator: ", ")); [\"*\"] allows all")
        }
        return Set(names.map(Method.init(rawValue:)))
    }

    private static func globs(_ texts: [String]?, _ key: String, _ place: AccessPlace) throws -> [Glob]? {
        guard let texts else { return nil }
        guard !texts.isEmpty else {
            throw place.invalid(key, "\(key) is an empty list, so nothing would match", hint: "name some, or leave \(key) out")
        }
        return try texts.map { text in
            guard let glob = Glob(text) else {
                throw place.invalid(
                    key, "\"\(text)\" is no pattern",
                    hint: "write the text itself; * stands for any characters, and is the only wildcard")
            }
            return glob
        }
    }

    /// An empty list is no mistake here: registered claims only.
    private static func claims(_ names: [String]?, _ place: AccessPlace) throws -> Set<String>? {
        guard let names, names != ["*"] else { return nil }
        for name in names where name.isEmpty || name.contains("*") {
            throw place.invalid("claims", "\"\(name)\" is no claim's name", hint: "name claims one by one, or [\"*\"] for any")
        }
        for name in names {
            guard let registered = RegisteredClaimName.imitated(by: name) else { continue }
            throw place.invalid(
                "claims", "\(quoted(name)) is read as \"\(registered)\" by some parsers, so nothing is signed with it",
                hint: "leave it out; registered claims are not bounded by claims")
        }
        return Set(names)
    }

    private static func lifetime(_ value: DurationValue?, _ place: AccessPlace) throws -> Int? {
        guard let value else { return nil }
        guard (600...86_400).contains(value.seconds) else {
            throw place.invalid("maxLifetime", "maxLifetime must be 10m to 24h", hint: "no JWT lives shorter or longer")
        }
        return Int(value.seconds)
    }

    private static func rate(_ file: AgentFile.Rule.Rate?, _ place: AccessPlace) throws -> Rate? {
        guard let file else { return nil }
        guard (1...1_000_000).contains(file.perSecond), (1...1_000_000).contains(file.burst ?? 1) else {
            throw place.invalid("rate", "perSecond and burst must be 1 to 1000000", hint: "write { perSecond: 200, burst: 400 }")
        }
        return Rate(perSecond: file.perSecond, burst: file.burst ?? file.perSecond)
    }

    private static func bounded(_ value: Int?, _ bounds: ClosedRange<Int>, _ key: String, _ place: AccessPlace) throws -> Int? {
        guard let value, !bounds.contains(value) else { return value }
        throw place.invalid(
            key, "\(key) must be \(bounds.lowerBound) to \(bounds.upperBound)", hint: "leave it out for the default")
    }
}

extension ConnectionLimits {
    /// The `limits` section.
    init(_ file: AgentFile.Limits?, _ yaml: StrictYAML) throws {
        self.init()
        func bounded(_ value: Int?, _ bounds: ClosedRange<Int>, orElse other: Int, _ key: String) throws -> Int {
            guard let value else { return other }
            guard bounds.contains(value) else {
                throw yaml.invalidValue(
                    at: ["limits", key], "limits.\(key) must be \(bounds.lowerBound) to \(bounds.upperBound)",
                    hint: "the default is \(other)")
            }
            return value
        }
        total = try bounded(file?.connections, 1...100_000, orElse: total, "connections")
        perUser = try bounded(file?.connectionsPerUser, 1...100_000, orElse: perUser, "connectionsPerUser")
        idleSeconds = try bounded(file?.idle.map { Int(clamping: $0.seconds) }, 1...86_400, orElse: idleSeconds, "idle")
    }
}
