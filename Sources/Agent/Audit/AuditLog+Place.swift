import Logging
import Platform

/// What an audit log knows of the place of its file.
struct AuditPlace: Sendable {
    /// Since when another file, or none, has been at the path; in nanoseconds of the monotonic clock.
    var strayedAt: Int64?
    /// Whether another file is being looked for, or on its way to the thread that writes: none is to be opened a second time.
    var isSwitching = false
    /// Whether what is written now is in no file that anybody will find.
    var isLost = false
    /// A file that was moved away and is not said to have been rotated, and when the log went on without it.
    var moved: (line: String, at: Int64)?

    /// - Returns: whether nobody else is about to.
    mutating func beginSwitch() -> Bool {
        defer { isSwitching = true }
        return !isSwitching
    }

    /// Nanoseconds that a rotation has from moving the file to its SIGHUP, before the log goes on by itself.
    static let patience: Int64 = 600_000_000
    /// Nanoseconds after that in which SIGHUP still says that it was a rotation.
    static let announcement: Int64 = 60_000_000_000
}

/// The file at the path and the one that is written to are the same, or soon will be.
extension AuditLog {
    // MARK: - A rotation that says so

    /// Goes on in the file that is at the path now, for a rotation that has moved the one before. The chain goes on too.
    ///
    /// - Throws: `AuditError`; then the log goes on in the file it had.
    func reopen() async throws {
        try await answered { [self] answer in
            keeper.perform { [self] in
                noteRotation()
                guard place.withLock({ $0.beginSwitch() }) else { return answer.give(.success(())) }
                do {
                    guard let (file, cut) = try newFile() else {
                        place.withLock { $0.isSwitching = false }
                        return answer.give(.success(()))
                    }
                    switchTo(file, cut: cut) { answer.give(.success(())) }
                } catch {
                    place.withLock { $0.isSwitching = false }
                    answer.give(.failure(error))
                }
            }
        }
    }

    /// A file that was moved away a moment ago was moved by a rotation.
    private func noteRotation() {
        let now = clock.monotonic()
        let moved = place.withLock { place in
            defer { place.moved = nil }
            return place.moved
        }
        guard let moved, now - moved.at < AuditPlace.announcement else { return }
        incidents.remove(moved.line)
    }

    /// The file that is at the path now, with the bytes cut off its end; `nil` when it is the one in use.
    private func newFile() throws(AuditError) -> (any AuditFile, cut: Int)? {
        if AppendedFile.identity(of: configuration.path) == fileInUse.identity { return nil }
        let (file, _, cut) = try Self.opened(configuration.path, open)
        guard (try? file.size()) == 0 else {
            throw AuditError(
                .unusable, "\(configuration.path) has records already, and they are not this log's",
                hint: "let the rotation leave no file there, or an empty one")
        }
        return (file, cut)
    }

    private func switchTo(
        _ file: any AuditFile, cut: Int, saying lines: [String] = [], _ switched: @escaping @Sendable () -> Void = {}
    ) {
        let lines = cut > 0 ? lines + [Self.note(ofCut: cut)] : lines
        submit(
            .file(file, saying: lines) { [self] in
                place.withLock { place in
                    place.isSwitching = false
                    place.isLost = false
                    place.strayedAt = nil
                }
                switched()
            })
        log.info("the audit log goes on in another file", metadata: ["path": "\(configuration.path)"])
    }

    // MARK: - What nobody has said

    /// Looks whether the file that is written to is still the one at the path, and goes on at the path where it is not.
    func watchPlace() {
        // One look is enough, however long the disk takes for what is before it.
        if !queue.withLock({ $0.isDue }) { submit(.check) }
        try? incidents.save()
        let file = fileInUse
        guard AppendedFile.identity(of: configuration.path) != file.identity else {
            return place.withLock { $0.strayedAt = nil }
        }
        let now = clock.monotonic()
        let hasName = (try? file.hasName()) ?? true
        let isDue = place.withLock { place in
            let strayedAt = place.strayedAt ?? now
            place.strayedAt = strayedAt
            // A rotation says so in a moment, and what is written until then is not lost.
            return (!hasName || now - strayedAt >= AuditPlace.patience) && place.beginSwitch()
        }
        if isDue { goOnAtPath(from: hasName, at: now) }
    }

    private func goOnAtPath(from hasName: Bool, at now: Int64) {
        let last = self.last.map { "\($0.seq)" } ?? "none"
        let what = hasName ? "moved away" : "removed"
        do {
            let displaced = try displaceForeignFile()
            guard let (file, cut) = try newFile() else { return place.withLock { $0.isSwitching = false } }
            let line =
                "the file of the audit log was \(what) while it was in use, with the records up to \(last)"
                + (displaced.map { "; another that was put in its place is \($0) now" } ?? "")
            happened(line)
            if hasName, displaced == nil { place.withLock { $0.moved = (line, now) } }
            switchTo(file, cut: cut, saying: [line])
            submit(.check)
        } catch {
            place.withLock { $0.isSwitching = false }
            let trouble = AuditError(
                .notWritten, "the file of the audit log was \(what), and it cannot go on at its path: \(error.message)",
                hint: error.hint)
            // While the file has a name its records are found there.
            guard hasName else {
                place.withLock { $0.isLost = true }
                return begin(trouble)
            }
            if happened(trouble.message) { submit(.note(trouble.message)) }
        }
    }

    /// Moves what is at the path and not this log's out of the way, without changing it.
    ///
    /// - Returns: where it is now; `nil` when there was nothing, or an empty file that the log can go on in.
    /// - Throws: `AuditError`.
    private func displaceForeignFile() throws(AuditError) -> String? {
        let path = configuration.path
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
        let displaced = path + "~displaced-\((last?.seq ?? 0) + 1)"
        do {
            try AppendedFile.move(path, to: displaced)
            return displaced
        } catch {
            throw AuditError(.unusable, "the file there cannot be moved out of the way: \(error.message)", hint: error.hint)
        }
    }

    /// Something was done to the file: health and the agent's own log say so.
    ///
    /// - Returns: whether that is new.
    @discardableResult
    func happened(_ line: String) -> Bool {
        guard incidents.add(line) else { return false }
        log.critical("somebody has changed the audit log while it was written", metadata: ["what": "\(line)"])
        return true
    }

    /// An operator has taken note of what was done to the file; that is recorded.
    func acknowledgeIncidents() {
        let count = incidents.acknowledge()
        if count > 0 { submit(.note("an operator has taken note of what was done to the file: \(count) in all")) }
    }
}

extension AuditAppender.Change {
    /// One line for the log and for health.
    var line: String {
        switch self {
        case .cut(let from, let to): "the file of the audit log was cut from \(from) to \(to) bytes while it was in use"
        case .grown(let count): "\(count) bytes that are not the audit log's were written into its file while it was in use"
        }
    }
}
