import Glibc

/// Which file something is, by device and inode: another file that has taken its name has another number.
///
/// A file that somebody has open keeps its number to itself, also once nothing leads to it any more.
public struct FileNumber: Sendable, Hashable {
    private let device: UInt64
    private let inode: UInt64

    /// What is at `path` now, symbolic links followed.
    ///
    /// Throws ``PlatformError`` with the code `missing` when there is nothing, or another when it cannot be looked at.
    public init(of path: String) throws(PlatformError) {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { throw PlatformError.failed("stat", path, errno) }
        self.init(status)
    }

    init(_ status: stat) {
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
    }

    /// Whether this process has it open; true as well where that cannot be found out, for want of `/proc`.
    public var isOpen: Bool {
        guard let directory = unsafe opendir("/proc/self/fd") else { return true }
        defer { unsafe closedir(directory) }
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { name in
                unsafe name.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            var status = stat()
            guard let descriptor = CInt(name), unsafe fstat(descriptor, &status) == 0 else { continue }
            if FileNumber(status) == self { return true }
        }
        return false
    }
}
