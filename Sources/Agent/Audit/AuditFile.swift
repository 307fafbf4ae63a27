import Platform

/// The file the log is written to, so that a test can have one that fails.
protocol AuditFile: AnyObject, Sendable {
    /// Device and inode.
    var identity: String { get }
    /// One write(2), at the end of the file; returns how many bytes of those from `offset` on were written.
    func write(_ bytes: [UInt8], from offset: Int) throws(PlatformError) -> Int
    func size() throws(PlatformError) -> Int
    func truncate(to size: Int) throws(PlatformError)
    func synchronize() throws(PlatformError)
    func read(at offset: Int, count: Int) throws(PlatformError) -> [UInt8]
    /// Lets whoever opens it next have it.
    func unlock()
}

extension AppendedFile: AuditFile {}

/// What a log writes to that has been closed.
final class ClosedAuditFile: AuditFile {
    let identity = ""

    func write(_ bytes: [UInt8], from offset: Int) throws(PlatformError) -> Int { throw Self.closed }
    func size() throws(PlatformError) -> Int { 0 }
    func truncate(to size: Int) throws(PlatformError) { throw Self.closed }
    func synchronize() throws(PlatformError) {}
    func read(at offset: Int, count: Int) throws(PlatformError) -> [UInt8] { [] }
    func unlock() {}

    private static let closed = PlatformError(.missing, "the audit log is closed", hint: "the agent is shutting down")
}

/// Appends whole batches to a file: all of one or nothing.
struct AuditAppender: Sendable {
    let file: any AuditFile
    /// Bytes at the end of the file that belong to no record and could not be taken back.
    private var remains = 0

    init(_ file: any AuditFile) {
        self.file = file
    }

    /// - Throws: `PlatformError`; then nothing of the batch is left in the file, or it goes before the next batch comes.
    mutating func append(_ batch: [UInt8]) throws(PlatformError) {
        try takeBack()
        var written = 0
        do throws(PlatformError) {
            while written < batch.count { written += try file.write(batch, from: written) }
        } catch {
            remains = written
            try? takeBack()
            throw error
        }
    }

    private mutating func takeBack() throws(PlatformError) {
        guard remains > 0 else { return }
        try file.truncate(to: max(try file.size() - remains, 0))
        remains = 0
    }
}
