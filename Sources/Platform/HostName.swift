import Glibc

/// The name of this machine, as the kernel has it: gethostname(2).
public enum HostName {
    /// Empty when the kernel does not say.
    public static func current() -> String {
        // One more than the longest name, for its end (HOST_NAME_MAX is 64 on Linux).
        var buffer = [CChar](repeating: 0, count: 65)
        guard unsafe gethostname(&buffer, buffer.count - 1) == 0 else { return "" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
