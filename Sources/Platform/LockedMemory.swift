import Glibc

/// Memory that is kept out of swap (mlock(2)).
public enum LockedMemory {
    /// How much of it this process may have, for people: `65536 bytes`, `unlimited` (RLIMIT_MEMLOCK, getrlimit(2)).
    public static var limitText: String {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(__RLIMIT_MEMLOCK.rawValue), &limit) == 0 else { return "unknown" }
        return limit.rlim_cur == .max ? "unlimited" : "\(limit.rlim_cur) bytes"
    }
}
