import Platform

/// What a file of a log says of itself and of the fleet; read before logs are verified, so that it is known which files are of one
/// log and what the logs have to have.
struct AuditSurvey: Sendable {
    /// Where a record stands, and what of it is of use to others than its own log.
    struct Place: Hashable, Sendable, CustomStringConvertible {
        let file: String
        /// From 1 on.
        let line: Int
        let seq: UInt64
        /// Seconds since 1970.
        let seconds: Int64
        /// RFC 3339.
        let time: String

        var description: String { "\(file):\(line)" }
    }

    /// A head of another agent's log.
    struct Witness: Hashable, Sendable {
        let agent: String
        let head: SignedHead
        let place: Place
    }

    struct Change: Hashable, Sendable {
        let change: AuditChange
        let place: Place
    }

    let path: String
    /// The first record: its number, and what it names as the one before it.
    private(set) var beginning: (seq: UInt64, prev: [UInt8])?
    private(set) var last: AuditLink?
    /// Whose log it says it is, in the order in which it does.
    private(set) var agents: [String] = []
    private(set) var witnesses: [Witness] = []
    private(set) var changes: [Change] = []

    /// Within so many bytes of a line stands whether it is one of the log's own.
    private static let head = 200
    private static let mark = Array(#","type":""#.utf8)

    /// - Throws: `PlatformError` for a file that cannot be read. Of one that is damaged what comes before that is taken.
    init(of path: String) throws {
        self.path = path
        var number = 0
        var latest: [UInt8] = []
        do {
            try AuditLines.read(path) { line, isWhole in
                number += 1
                guard isWhole else { return }
                latest = Array(line)
                guard beginning == nil || Self.isOwn(line), let record = AuditLine(line) else { return }
                take(record, number)
            }
        } catch let error as PlatformError where error.code == .damaged {
            // The verification names it.
        }
        last = AuditLine(latest[...])?.link
    }

    private mutating func take(_ record: AuditLine, _ number: Int) {
        if beginning == nil { beginning = (record.seq, record.prev) }
        let place = Place(file: path, line: number, seq: record.seq, seconds: record.seconds, time: record.time)
        switch record.kind {
        case .agent(let agent) where !agents.contains(agent): agents.append(agent)
        case .change(let change): changes.append(Change(change: change, place: place))
        case .witness(let agent, let head): witnesses.append(Witness(agent: agent, head: head, place: place))
        default: break
        }
    }

    /// Whether the line is of a kind of the log's own: most are of operations, and need not be looked into.
    private static func isOwn(_ line: ArraySlice<UInt8>) -> Bool {
        var rest = line.prefix(head)
        while let start = rest.firstIndex(of: mark[0]) {
            rest = rest[start...]
            if rest.starts(with: mark) { return true }
            rest = rest.dropFirst()
        }
        return false
    }
}

/// The files of one log, in the order in which they were given.
struct SurveyedLog: Sendable {
    private(set) var files: [AuditSurvey]

    /// Whose log it is; it may have been several agents' one after the other, if its agent was given another id.
    var agents: [String] {
        var agents: [String] = []
        for agent in files.flatMap(\.agents) where !agents.contains(agent) { agents.append(agent) }
        return agents
    }

    /// Sorts files by the logs they are of: one that goes on where another one ends is of that one's log, others by whose they say they
    /// are. One that says nothing is of the same log as the file before it.
    static func sorted(_ files: [AuditSurvey]) -> [SurveyedLog] {
        var logs: [SurveyedLog] = []
        for file in files {
            if let place = logs.firstIndex(where: { $0.isContinued(by: file) }) {
                logs[place].files.append(file)
            } else if let place = logs.firstIndex(where: { log in file.agents.contains { log.agents.contains($0) } }) {
                logs[place].files.append(file)
            } else if file.agents.isEmpty, !logs.isEmpty {
                logs[logs.count - 1].files.append(file)
            } else if logs.count == 1, logs[0].agents.isEmpty, !file.begins {
                // Of before the store was shared.
                logs[0].files.append(file)
            } else {
                logs.append(SurveyedLog(files: [file]))
            }
        }
        return logs
    }

    private func isContinued(by file: AuditSurvey) -> Bool {
        guard let beginning = file.beginning else { return false }
        return files.contains { $0.last.map { $0.seq + 1 == beginning.seq && $0.hash == beginning.prev } ?? false }
    }
}

extension AuditSurvey {
    /// Whether it has the log's first record.
    fileprivate var begins: Bool { beginning?.seq == 0 }
}
