import AgentProtocol

/// What the log gives for a record. Only against one is a request answered, and none can be kept for another request.
struct AuditReceipt: ~Copyable, Sendable {
    /// Why the record could not be written; `nil` when it was, and when there need not be any.
    let error: AuditError?

    fileprivate init(_ error: AuditError? = nil) {
        self.error = error
    }
}

/// The ways to a record. Each ends in its receipt.
extension AuditLog {
    /// Writes a record, at once or with others that come meanwhile. Waits for no disk.
    ///
    /// - Parameter written: called once, from whatever thread has written the record or given it up.
    func record(_ record: AuditRecord, written: @escaping @Sendable (borrowing AuditReceipt) -> Void) {
        writer.submit(text(of: record), written)
    }

    /// As `record(_:written:)`: returns once the record is written, or cannot be.
    func recorded(_ record: AuditRecord) async -> AuditReceipt {
        AuditReceipt(
            await withCheckedContinuation { continuation in
                self.record(record) { continuation.resume(returning: $0.error) }
            })
    }

    /// Returns once the record is on the disk, or cannot be brought there.
    func recordedOnDisk(_ record: AuditRecord) async -> AuditReceipt {
        AuditReceipt(await writer.writeToDisk(text(of: record)))
    }

    /// Records a denial or a failure, whether or not that can be written; what is like one of the last ten seconds is counted into
    /// one record.
    @discardableResult
    func recordRefusal(_ record: AuditRecord) -> AuditReceipt {
        writeOrCount(refusal: record)
        return AuditReceipt()
    }

    /// The receipt for what needs no record; `nil` for a method that is recorded.
    func exemption(for method: Method) -> AuditReceipt? {
        method.isRecorded ? nil : AuditReceipt()
    }
}

extension AuditWriter {
    /// Tells all whose records were written together, or could not be, what came of that.
    func answer(_ waiting: [@Sendable (borrowing AuditReceipt) -> Void], _ error: AuditError?) {
        let receipt = AuditReceipt(error)
        for written in waiting { written(receipt) }
    }
}
