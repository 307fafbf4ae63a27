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
    /// Lets whoever opens it next have it.
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
