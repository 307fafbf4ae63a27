import Foundation

/// What an agent leaves on the token about itself, so that another one of the same deployment meets it: public data, and no
/// time in it, since no clock is known to be right.
///
/// A text of words, `name=value`; words that are not known are passed over.
struct AgentNote: Hashable, Sendable {
    /// One start of an agent: 16 hexadecimal digits, random.
    let agent: String
    /// Greater than that of every note the agent found when it started.
    var number = 1
    /// How often the agent has put its note back after another one had taken its place: a sign of life.
    var answers = 0
    /// Where it runs, for people.
    let process: Int32
    let host: String

    init(agent: String, process: Int32, host: String) {
        self.agent = agent
        self.process = process
        // One word, whatever a machine is called.
        self.host = String(host.unicodeScalars.map { Self.harmless.contains($0) ? Character($0) : "_" }.prefix(64))
    }

    private static let harmless = CharacterSet(
        charactersIn: "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.")

    /// The label of the notes of a deployment; that of no key.
    static func label(of deployment: String) -> String { "privyseal-agent/\(deployment)" }

    var text: String { "\(Self.mark) agent=\(agent) number=\(number) answers=\(answers) process=\(process) host=\(host)" }

    private static let mark = "privyseal-agent-1"

    /// - Returns: `nil` for what is no note.
    init?(text: String) {
        let words = text.split(separator: " ")
        guard words.first.map(String.init) == Self.mark, text.utf8.count <= 512 else { return nil }
        var values: [Substring: Substring] = [:]
        for word in words.dropFirst() {
            guard let equals = word.firstIndex(of: "=") else { continue }
            values[word[..<equals]] = word[word.index(after: equals)...]
        }
        guard let agent = values["agent"], agent.count == 16, agent.allSatisfy(\.isHexDigit),
            let number = values["number"].flatMap({ Int($0) }), (1..<Self.limit).contains(number),
            let answers = values["answers"].flatMap({ Int($0) }), (0..<Self.limit).contains(answers)
        else { return nil }
        self.init(
            agent: String(agent), process: values["process"].flatMap { Int32($0) } ?? 0, host: String(values["host"] ?? ""))
        (self.number, self.answers) = (number, answers)
    }

    /// Far from where counting on would overflow.
    private static let limit = 1 << 60

    /// Which of two agents came later; both find the same.
    func isLater(than other: AgentNote) -> Bool {
        (number, agent) > (other.number, other.agent)
    }

    /// Which agent it is, for people.
    var whose: String {
        "process \(process)" + (host.isEmpty ? "" : " on \(host)") + " (\(agent))"
    }
}
