import AgentProtocol

/// A request on its way to its record.
struct AuditEntry: Sendable {
    var record: AuditRecord
    /// When the request came, in nanoseconds of the monotonic clock.
    private let began: Int64

    init(_ caller: Caller, _ method: Method, at began: Int64) {
        record = AuditRecord(caller: caller, method: method, outcome: .attempted)
        self.began = began
    }

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

/// What came of a change, and the receipt of the record that says so.
struct RecordedChange<Value: Sendable>: ~Copyable {
    /// `AuditError` when it was not begun, since that could not be recorded.
    let outcome: Result<Value, any Error>
    /// Has the reason when a change that was made could not be recorded as made.
    let receipt: AuditReceipt
}

/// How requests are recorded. Each of these gives the receipt for the reply.
extension AuditLog {
    /// What the agent's own process does now will be recorded as.
    func ownEntry(_ method: Method) -> AuditEntry {
        AuditEntry(.thisProcess, method, at: clock.monotonic())
    }

    /// Whether what the caller asks for may make the log grow. To be asked before anything is done that would be recorded.
    ///
    /// - Throws: `AUDIT_UNAVAILABLE` while nothing can be recorded, `RATE_LIMITED` for a user who has used up its share.
    func checkRoom(for caller: Caller, _ method: Method, changing isChange: Bool) throws(ProtocolError) {
        guard method.isRecorded else { return }
        if let trouble { throw ProtocolError(trouble) }
        guard !hasRoom(for: caller.uid, changing: isChange) else { return }
        throw ProtocolError(
            .rateLimited, "uid \(caller.uid) has had the audit log grow by its share of a day",
            hint: "ask less often; the share is audit.limitPerUser in the agent's configuration")
    }

    /// Records that what the caller asked for was done. With an error in the receipt, the caller is told that instead.
    ///
    /// - Parameter written: called once, from whatever thread writes the record.
    func recordDone(_ entry: consuming AuditEntry, written: @escaping @Sendable (borrowing AuditReceipt) -> Void) {
        record(entry.ended(at: clock.monotonic()), written: written)
    }

    /// As `recordDone(_:written:)`, where that is recorded at all.
    func recordDone(_ entry: AuditEntry) async -> AuditReceipt {
        if let exempt = exemption(for: entry.record.method) { return exempt }
        return await recorded(entry.ended(at: clock.monotonic()))
    }

    /// Records that what the caller asked for was denied or failed, whether or not that can be written: nothing was done. What
    /// is like one of the last ten seconds is counted: a caller must not fill the disk with what it cannot have.
    @discardableResult
    func recordRefusal(_ entry: AuditEntry, _ error: ProtocolError) -> AuditReceipt {
        if !error.isDenial, let exempt = exemption(for: entry.record.method) { return exempt }
        return recordRefusal(entry.ended(error, at: clock.monotonic()))
    }

    /// Makes a change, with a record before it and one after it, each on the disk before what follows.
    ///
    /// - Parameter completing: says what of the result the second record has to name.
    func recordChange<Value: Sendable>(
        _ entry: AuditEntry, _ change: () async throws -> Value,
        completing: (inout AuditRecord, Value) -> Void = { _, _ in }
    ) async -> RecordedChange<Value> {
        let attempted = await recordedOnDisk(entry.record)
        if let error = attempted.error { return RecordedChange(outcome: .failure(error), receipt: attempted) }
        do {
            let value = try await change()
            var entry = entry
            completing(&entry.record, value)
            let receipt = await recordedOnDisk(entry.ended(at: clock.monotonic()))
            return RecordedChange(outcome: .success(value), receipt: receipt)
        } catch {
            let receipt = await recordedOnDisk(entry.ended(ProtocolError(mapping: error), at: clock.monotonic()))
            return RecordedChange(outcome: .failure(error), receipt: receipt)
        }
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
