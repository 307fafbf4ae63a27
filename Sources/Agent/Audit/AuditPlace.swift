import Logging
import Platform

/// Sees to it that the file at the log's path and the one that is written to are the same, or soon will be.
final class AuditPlace: Sendable {
    private struct State {
        /// Since when another file, or none, has been at the path; in nanoseconds of the monotonic clock.
        var strayedAt: Int64?
        /// Whether another file is being looked for, or on its way to the writer: none is to be opened a second time.
        var isSwitching = false
        /// A file that was moved away and is not said to have been rotated, and when the log went on without it.
        var moved: (line: String, at: Int64)?
        /// What every file begins with: whose log it is.
        var title: AuditText?

        /// - Returns: whether no other thread is about to.
        mutating func beginSwitch() -> Bool {
            defer { isSwitching = true }
            return !isSwitching
        }
    }

    /// What is known of the place of the file in use, and whether the log is about to leave it.
    private let state = Locked(State())
    private let path: String
    private let open: @Sendable (String) throws -> any AuditFile
    private let writer: AuditWriter
    private let health: AuditHealth
    private let incidents: AuditIncidents
    private let keeper: AuditKeeper
    private let clock: AgentClock
    private let log: Logger

    /// Nanoseconds that a rotation has from moving the file to its SIGHUP, before the log goes on by itself.
    private static let patience: Int64 = 600_000_000
    /// Nanoseconds after that in which SIGHUP still says that it was a rotation.
    private static let announcement: Int64 = 60_000_000_000

    init(
        _ path: String, open: @escaping @Sendable (String) throws -> any AuditFile, _ writer: AuditWriter, _ health: AuditHealth,
        _ incidents: AuditIncidents, _ keeper: AuditKeeper, clock: AgentClock, log: Logger
    ) {
        self.path = path
        self.open = open
        self.writer = writer
        self.health = health
        self.incidents = incidents
        self.keeper = keeper
        self.clock = clock
        self.log = log
    }

    /// - Returns: the file, its own last record, and how many bytes of a record that was cut short have been taken off its end.
    static func opened(
        _ path: String, _ open: (String) throws -> any AuditFile
    ) throws(AuditError) -> (file: any AuditFile, last: AuditLink?, cut: Int) {
        do {
            let file = try open(path)
            let tail = try AuditTail(of: file, at: path)
            if tail.remains > 0 { try file.truncate(to: try file.size() - tail.remains) }
            return (file, tail.last, tail.remains)
        } catch let error as AuditError {
            throw error
        } catch let error as PlatformError {
            throw AuditError(.unusable, "the audit log cannot be used: \(error.message)", hint: error.hint)
        } catch {
            throw AuditError(.unusable, "the audit log \(path) cannot be used: \(error)", hint: "check the file")
        }
    }

    static func note(ofCut bytes: Int) -> String {
        "\(bytes) bytes of a record that was cut short were removed"
    }

    /// Has this file, and every one that the log goes on in, say whose log it is.
    func entitle(_ title: AuditText) {
        state.withLock { $0.title = title }
        writer.submit(title)
    }

    // MARK: - A rotation that says so

    /// Goes on in the file that is at the path now, for a rotation that has moved the one before. The chain goes on too.
    ///
    /// - Throws: `AuditError`; then the log goes on in the file it had.
    func reopen() async throws {
        try await keeper.performAnswered { [self] answer in
            forgetRotatedFile()
            guard state.withLock({ $0.beginSwitch() }) else { return answer.give(.success(())) }
            do {
                guard let (file, cut) = try newFile() else {
                    state.withLock { $0.isSwitching = false }
                    return answer.give(.success(()))
                }
                switchTo(file, cut: cut) { answer.give(.success(())) }
            } catch {
                state.withLock { $0.isSwitching = false }
                answer.give(.failure(error))
            }
        }
    }

    /// A file that was moved away a moment ago was moved by a rotation: that is no incident.
    private func forgetRotatedFile() {
        let now = clock.monotonic()
        let moved = state.withLock { state in
            defer { state.moved = nil }
            return state.moved
        }
        guard let moved, now - moved.at < Self.announcement else { return }
        incidents.remove(moved.line)
    }

    /// The file that is at the path now, with the bytes cut off its end; `nil` when it is the one in use.
    private func newFile() throws(AuditError) -> (any AuditFile, cut: Int)? {
        if AppendedFile.identity(of: path) == writer.fileInUse.identity { return nil }
        let (file, _, cut) = try Self.opened(path, open)
        guard (try? file.size()) == 0 else {
            throw AuditError(
                .unusable, "\(path) has records already, and they are not this log's",
                hint: "let the rotation leave no file there, or an empty one")
        }
        return (file, cut)
    }

    private func switchTo(
        _ file: any AuditFile, cut: Int, saying lines: [String] = [], _ switched: @escaping @Sendable () -> Void = {}
    ) {
        let lines = cut > 0 ? lines + [Self.note(ofCut: cut)] : lines
        let title = state.withLock { $0.title }
        writer.submit(
            .file(file, saying: [title].compactMap(\.self) + lines.map { .note($0) }) { [self] in
                state.withLock { state in
                    state.isSwitching = false
                    state.strayedAt = nil
                }
                switched()
            })
        log.info("the audit log goes on in another file", metadata: ["path": "\(path)"])
    }

    // MARK: - A file that is gone without a word

    /// Looks whether the file that is written to is still the one at the path, and goes on at the path where it is not.
    func check() {
        // One look is enough, however long the disk takes for what is before it.
        if !writer.isDue { writer.submit(.check) }
        let file = writer.fileInUse
        guard AppendedFile.identity(of: path) != file.identity else {
            return state.withLock { $0.strayedAt = nil }
        }
        let now = clock.monotonic()
        let hasName = (try? file.hasName()) ?? true
        let isDue = state.withLock { state in
            let strayedAt = state.strayedAt ?? now
            state.strayedAt = strayedAt
            // A rotation says so in a moment, and what is written until then is not lost.
            return (!hasName || now - strayedAt >= Self.patience) && state.beginSwitch()
        }
        if isDue { goOnAtPath(from: hasName, at: now) }
    }

    private func goOnAtPath(from hasName: Bool, at now: Int64) {
        let last = writer.last.map { "\($0.seq)" } ?? "none"
        let what = hasName ? "moved away" : "removed"
        do {
            let displaced = try displaceForeignFile()
            guard let (file, cut) = try newFile() else { return state.withLock { $0.isSwitching = false } }
            let line =
                "the file of the audit log was \(what) while it was in use, with the records up to \(last)"
                + (displaced.map { "; another that was put in its place is \($0) now" } ?? "")
            incidents.report(line)
            if hasName, displaced == nil { state.withLock { $0.moved = (line, now) } }
            switchTo(file, cut: cut, saying: [line])
            writer.submit(.check)
        } catch {
            state.withLock { $0.isSwitching = false }
            let trouble = AuditError(
                .notWritten, "the file of the audit log was \(what), and it cannot go on at its path: \(error.message)",
                hint: error.hint)
            // While the file has a name its records are found there.
            guard hasName else {
                writer.loseFile()
                return health.report(trouble)
            }
            if incidents.report(trouble.message) { writer.submit(.note(trouble.message)) }
        }
    }

    /// Moves what is at the path and not this log's out of the way, without changing it.
    ///
    /// - Returns: where it is now; `nil` when there was nothing, or an empty file that the log can go on in.
    /// - Throws: `AuditError`.
    private func displaceForeignFile() throws(AuditError) -> String? {
        guard AppendedFile.identity(of: path) != nil else { return nil }
        do {
            let file = try open(path)
            if try file.size() == 0 {
                file.unlock()
                return nil
            }
        } catch let error as PlatformError where error.code == .locked {
            // That process would treat this one's file alike, and so for ever.
            throw AuditError(.unusable, error.message, hint: error.hint)
        } catch {
            // What cannot be used is not this log's file.
        }
        let displaced = path + "~displaced-\((writer.last?.seq ?? 0) + 1)"
        do {
            try AppendedFile.move(path, to: displaced)
            return displaced
        } catch {
            throw AuditError(.unusable, "the file there cannot be moved out of the way: \(error.message)", hint: error.hint)
        }
    }
}
