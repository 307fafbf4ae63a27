import AgentProtocol

/// A request on its way to its record.
struct AuditEntry: Sendable {
    var record: AuditRecord
    /// When the request came, in nanoseconds of the monotonic clock.
    fileprivate let began: Int64

    /// The record of the end, `error` being why nothing was done.
    fileprivate consuming func ended(_ error: ProtocolError? = nil, at now: Int64) -> AuditRecord {
        let duration = Int((now - began) / 1_000)
        var record = record
        record.outcome = error.map { $0.isDenial ? .denied : .failed } ?? .allowed
        record.reason = error?.reason.rawValue ?? record.reason
        record.durationMicroseconds = duration
        return record
    }
}

extension AuditLog {
    /// What a request that came then will be recorded as.
    func entry(_ caller: Caller, _ method: Method, at began: Int64) -> AuditEntry {
        AuditEntry(record: AuditRecord(caller: caller, method: method, outcome: .attempted), began: began)
    }

    /// What a request that comes now will be recorded as.
    func entry(_ caller: Caller, _ method: Method) -> AuditEntry {
        entry(caller, method, at: clock.monotonic())
    }

    /// Whether what the caller asks for may make the log grow. To be asked before anything is done that would be recorded.
    ///
    /// - Throws: `AUDIT_UNAVAILABLE` while nothing can be recorded, `RATE_LIMITED` for a user who has used up its share.
    func admit(_ caller: Caller, _ method: Method, changing isChange: Bool) throws(ProtocolError) {
        guard method.isRecorded else { return }
        if let trouble { throw ProtocolError(trouble) }
        guard !hasRoom(for: caller.uid, changing: isChange) else { return }
        throw ProtocolError(
            .rateLimited, "uid \(caller.uid) has had the audit log grow by its share of a day",
            hint: "ask less often; the share is audit.limitPerUser in the agent's configuration")
    }

    /// Records that what the caller asked for was done. The reply must not leave before `written` is called, and with an error
    /// not at all.
    func allowed(_ entry: consuming AuditEntry, written: @escaping @Sendable (AuditError?) -> Void) {
        record(entry.ended(at: clock.monotonic()), written: written)
    }

    /// As `allowed(_:written:)`.
    ///
    /// - Throws: `AuditError`.
    func allowed(_ entry: AuditEntry) async throws {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            allowed(entry) { error in
                if let error { continuation.resume(throwing: error) } else { continuation.resume() }
            }
        }
    }

    /// Records that what the caller asked for was denied or failed, whether or not that can be written: nothing was done. What
    /// is like one of the last ten seconds is counted: a caller must not fill the disk with what it cannot have.
    func refused(_ entry: AuditEntry, _ error: ProtocolError) {
        guard error.isDenial || entry.record.method.isRecorded else { return }
        refused(entry.ended(error, at: clock.monotonic()))
    }

    /// Makes a change, with a record before it and one after it, each on the disk before what follows.
    ///
    /// - Parameter complete: says what of the result the second record has to name.
    /// - Returns: also why the second record could not be written, if it could not: the change has been made all the same.
    /// - Throws: `AuditError` when the first could not be: nothing was changed; what `change` throws.
    func recording<Value: Sendable>(
        _ entry: AuditEntry, _ change: () async throws -> Value,
        complete: (inout AuditRecord, Value) -> Void = { _, _ in }
    ) async throws -> (Value, unrecorded: AuditError?) {
        try await attempt(entry.record)
        let value: Value
        do {
            value = try await change()
        } catch {
            _ = await outcome(entry.ended(ProtocolError(mapping: error), at: clock.monotonic()))
            throw error
        }
        var entry = entry
        complete(&entry.record, value)
        return (value, await outcome(entry.ended(at: clock.monotonic())))
    }
}

extension ProtocolError {
    /// Whether it is the caller who may not, or not so often; of these there can be floods.
    fileprivate var isDenial: Bool { reason == .permissionDenied || reason == .rateLimited }

    /// What a caller is told while nothing can be recorded. What is wrong is for `health` and the agent's log to say.
    init(_ error: AuditError) {
        self.init(
            .auditUnavailable, "what is done cannot be recorded in the audit log just now, so it is not done",
            hint: "try again in a moment; the agent's log and privyseal health say what is wrong")
    }
}

extension Method {
    /// Whether what is done by it is recorded, and not done while that is impossible. Denials always are.
    var isRecorded: Bool { ![.health, .version, .getDiscovery, .acknowledge].contains(self) }
}
