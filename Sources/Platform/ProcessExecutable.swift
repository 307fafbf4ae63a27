import Glibc

/// Which program a process runs.
public enum ProcessExecutable {
    /// What /proc/PID/exe points to; nil where it cannot be read, such as for another user's process.
    public static func path(pid: Int32) -> String? {
        unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 4096) { buffer in
            let count = unsafe readlink("/proc/\(pid)/exe", buffer.baseAddress!, buffer.count)
            guard count > 0 else { return nil }
            return unsafe String(decoding: UnsafeRawBufferPointer(buffer)[..<count], as: UTF8.self)
        }
    }
}
