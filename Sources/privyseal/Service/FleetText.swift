import AgentProtocol

/// The agents that share a store, in words, as the one that was asked knows them.
enum FleetText {
    /// A line for what this agent goes by, and one for each agent; none where the store is its own.
    ///
    /// - Parameter health: the result of `health`.
    static func lines(_ health: JSONValue) -> [(label: String, value: String)] {
        guard let fleet = health["fleet"], fleet != .null else { return [] }
        return [("View", view(fleet))]
            + (fleet["agents"]?.elements ?? []).map { agent in
                ("Agent \(agent["agent"]?.string ?? "")", Self.agent(agent))
            }
    }

    private static func view(_ fleet: JSONValue) -> String {
        let confirmed = fleet["confirmedSecondsAgo"]?.integer.map { "confirmed \(Elapsed.rounded(seconds: $0)) ago" }
        let left = fleet["signsForSeconds"]?.integer ?? 0
        let signs = left > 0 ? "signs for \(Elapsed.exact(seconds: left)) without another confirmation" : "signs nothing"
        return "revision \(fleet["revision"]?.integer ?? 0), \(confirmed ?? "never confirmed"); \(signs)"
    }

    private static func agent(_ agent: JSONValue) -> String {
        var words = ["on \(agent["host"]?.string ?? "")"]
        if agent["own"]?.bool == true { words.append("the one that was asked") }
        if let release = agent["release"]?.string { words.append("release \(release)") }
        guard agent["present"]?.bool == true else {
            return (words + ["has not said for 30 s that it is there"]).joined(separator: ", ")
        }
        words.append(agent["revision"]?.integer.map { "revision \($0)" } ?? "has not said yet what it goes by")
        if agent["behind"]?.bool == true { words.append("not all of that counts for it yet") }
        let frontends = agent["frontends"]?.integer ?? 0
        words.append(frontends == 1 ? "1 frontend" : "\(frontends) frontends")
        return words.joined(separator: ", ")
    }
}
