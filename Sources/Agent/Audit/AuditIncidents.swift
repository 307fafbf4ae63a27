import Foundation
import Logging
import Platform

/// What other processes have done to the log's file while it was in use, and logs of a fleet that went back. Each is recorded in the
/// log; here it is kept until an operator has taken note of it, over a restart too.
final class AuditIncidents: Sendable {
    private struct State {
        /// One line each, the oldest first.
        var lines: [String] = []
        /// The last of those that are not kept.
        var lastBeyond: String?
        var isSaved = true
    }

    /// The lines that are kept, and whether their file is as they are.
    private let state: Locked<State>
    /// Where they are kept for the next start. Not a name that a rotated file of the log could have.
    private let path: String
    private let logger: Logger

    /// Further ones are in the log, and not kept here.
    private static let most = 16

    /// - Parameters:
    ///   - path: that of the audit log.
    ///   - log: the agent's own.
    init(of path: String, trusting trusted: TrustedDirectories, log: Logger) {
        self.path = path + "~unseen"
        logger = log
        let kept = try? RegularFile.readTrusted(path: self.path, limit: 1 << 16, trusting: trusted)
        let text = kept.map { String(decoding: $0, as: UTF8.self) } ?? ""
        state = Locked(State(lines: text.split(separator: "\n").prefix(Self.most).map(String.init)))
    }

    var unseen: [String] { state.withLock { $0.lines } }

    /// Keeps it for health, and says it in the agent's own log where it is new.
    ///
    /// - Parameter summary: of the line, for the agent's own log.
    /// - Returns: whether it is none of those that are known.
    @discardableResult
    func report(_ line: String, _ summary: String = "somebody has changed the audit log while it was written") -> Bool {
        let isNew = add(line)
        if isNew { logger.critical("\(summary)", metadata: ["what": "\(line)"]) }
        return isNew
    }

    private func add(_ line: String) -> Bool {
        state.withLock { state in
            guard !state.lines.contains(line) else { return false }
            guard state.lines.count < Self.most else {
                defer { state.lastBeyond = line }
                return state.lastBeyond != line
            }
            state.lines.append(line)
            state.isSaved = false
            return true
        }
    }

    /// Takes one back that has turned out to be nothing.
    func remove(_ line: String) {
        state.withLock { state in
            guard let place = state.lines.lastIndex(of: line) else { return }
            state.lines.remove(at: place)
            state.isSaved = false
        }
    }

    /// An operator has taken note of them.
    ///
    /// - Returns: how many there were.
    func acknowledge() -> Int {
        state.withLock { state in
            defer { state = State(isSaved: state.isSaved && state.lines.isEmpty) }
            return state.lines.count
        }
    }

    /// Keeps them for the next start. To be called where the disk may be waited for, and tried again when it throws.
    ///
    /// - Throws: `PlatformError`.
    func save() throws {
        let lines = state.withLock { state -> [String]? in
            guard !state.isSaved else { return nil }
            state.isSaved = true
            return state.lines
        }
        guard let lines else { return }
        do {
            if lines.isEmpty {
                try? FileManager.default.removeItem(atPath: path)
            } else {
                try AtomicFile.write(Array(lines.map { $0 + "\n" }.joined().utf8), to: path)
            }
        } catch {
            state.withLock { $0.isSaved = false }
            throw error
        }
    }
}
