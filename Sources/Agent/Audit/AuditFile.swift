import Platform

/// The file the log is written to, so that a test can have one that fails.
protocol AuditFile: AnyObject, Sendable {
    /// Device and inode.
    var identity: String { get }
    /// Whether it still has a name, at whatever path; what is written to one without is lost once it is closed.
    func hasName() throws(PlatformError) -> Bool
    /// One write(2), at the end of the file; returns how many bytes of those from `offset` on were written.
    func write(_ bytes: [UInt8], from offset: Int) throws(PlatformError) -> Int
    func size() throws(PlatformError) -> Int
    func truncate(to size: Int) throws(PlatformError)
    func synchronize() throws(PlatformError)
    func read(at offset: Int, count: Int) throws(PlatformError) -> [UInt8]
    /// Lets the next process that opens it have it.
    func unlock()
}

extension AppendedFile: AuditFile {}

/// What a log writes to that has been closed.
final class ClosedAuditFile: AuditFile {
    let identity = ""

    func hasName() throws(PlatformError) -> Bool { true }
    func write(_ bytes: [UInt8], from offset: Int) throws(PlatformError) -> Int { throw Self.closed }
    func size() throws(PlatformError) -> Int { 0 }
    func truncate(to size: Int) throws(PlatformError) { throw Self.closed }
    func synchronize() throws(PlatformError) {}
    func read(at offset: Int, count: Int) throws(PlatformError) -> [UInt8] { [] }
    func unlock() {}

    private static let closed = PlatformError(.missing, "the audit log is closed", hint: "the agent is shutting down")
}

/// Appends whole batches to a file, all of one or nothing, and notices when another process has changed its length.
struct AuditAppender: Sendable {
    let file: any AuditFile
    /// What the next records have to be preceded by: what was noticed of the file and has not been recorded.
    var unsaid: [AuditText]
    /// Where the last whole record ends.
    private var end: Int
    /// Bytes after that which belong to no record and could not be taken back.
    private var remains = 0
    /// Whether the file ends within a line that is not the log's, or in what is left of one.
    private var isInsideLine = false

    /// What another process has done to the length of the file.
    enum Change: Equatable, Sendable {
        case cut(from: Int, to: Int)
        case grown(by: Int)
    }

    /// - Parameter unsaid: what the first records in the file say.
    init(_ file: any AuditFile, saying unsaid: [AuditText] = []) {
        self.file = file
        self.unsaid = unsaid
        end = (try? file.size()) ?? 0
    }

    /// What has become of the file since it was last written to; told once. What was put there is left as it is: the next record
    /// begins on a line of its own after it.
    mutating func noticeChange() throws(PlatformError) -> Change? {
        let size = try file.size()
        let left = end + remains
        guard size != left else { return nil }
        let ending = size == 0 ? [] : try file.read(at: size - 1, count: 1)
        let isLineWhole = size == 0 || ending == [UInt8(ascii: "\n")]
        (end, remains, isInsideLine) = (size, 0, !isLineWhole)
        return size < left ? .cut(from: left, to: size) : .grown(by: size - left)
    }

    /// Appends records, those of `unsaid` among them.
    ///
    /// - Throws: `PlatformError`; then nothing of the batch is left in the file, or it goes before the next batch comes.
    mutating func append(_ batch: [UInt8]) throws(PlatformError) {
        try takeBack()
        let batch = isInsideLine ? [UInt8(ascii: "\n")] + batch : batch
        var written = 0
        do throws(PlatformError) {
            while written < batch.count { written += try file.write(batch, from: written) }
        } catch {
            remains = written
            try? takeBack()
            throw error
        }
        end += batch.count
        isInsideLine = false
        unsaid = []
    }

    private mutating func takeBack() throws(PlatformError) {
        guard remains > 0 else { return }
        try file.truncate(to: end)
        remains = 0
    }
}
