import AgentProtocol

/// A column of a table, or a line of a single resource: its label, where its value is, and how people read it.
struct Column: Sendable {
    let label: String
    let path: Query
    /// The text for people; for scripts it is the value itself.
    let show: @Sendable (_ value: JSONValue, _ now: WireTime) -> String

    init(
        _ label: String, _ path: String..., show: @escaping @Sendable (_ value: JSONValue, _ now: WireTime) -> String = plain
    ) {
        self.label = label
        self.path = Query(steps: path)
        self.show = show
    }

    func text(of resource: JSONValue, now: WireTime) -> String {
        show(path.part(of: resource), now)
    }

    /// What stands where there is no value, as in kubectl.
    static let none = "<none>"

    /// The value as it is.
    @Sendable static func plain(_ value: JSONValue, _ now: WireTime) -> String {
        switch value {
        case .null: none
        case .array(let elements) where elements.isEmpty: none
        case .array(let elements) where elements.allSatisfy { $0.string != nil }:
            elements.compactMap(\.string).joined(separator: ", ")
        default: value.cell
        }
    }

    /// Yes or no.
    @Sendable static func yesNo(_ value: JSONValue, _ now: WireTime) -> String {
        value.bool.map { $0 ? "yes" : "no" } ?? plain(value, now)
    }

    /// A count of seconds as a duration: `1h30m`.
    @Sendable static func duration(_ value: JSONValue, _ now: WireTime) -> String {
        value.integer.map(Elapsed.exact(seconds:)) ?? plain(value, now)
    }

    /// How long ago a moment was: `23h`.
    @Sendable static func age(_ value: JSONValue, _ now: WireTime) -> String {
        value.time.map { Elapsed.rounded(seconds: now.seconds - $0.seconds) } ?? plain(value, now)
    }

    /// How far off a moment is: `23h`, or `passed`.
    @Sendable static func remaining(_ value: JSONValue, _ now: WireTime) -> String {
        guard let time = value.time else { return plain(value, now) }
        return time > now ? Elapsed.rounded(seconds: time.seconds - now.seconds) : "passed"
    }

    /// A moment with its distance: `2026-11-24T10:00:00Z (5m ago)`.
    @Sendable static func moment(_ value: JSONValue, _ now: WireTime) -> String {
        value.time.map { Elapsed.moment($0, now: now) } ?? plain(value, now)
    }
}

extension JSONValue {
    /// The moment a string names.
    var time: WireTime? { string.flatMap { WireTime($0) } }

    /// A value on one line: strings without quotes, the rest as compact JSON, null as nothing.
    var cell: String {
        switch self {
        case .null: ""
        case .string(let text): text
        default: String(decoding: encoded(), as: UTF8.self)
        }
    }
}
