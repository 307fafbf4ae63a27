import CPlatform
import Glibc

/// How many descriptors a process may have open, `RLIMIT_NOFILE` of getrlimit(2): its own descriptors are numbered below it.
public struct DescriptorLimit: Sendable, Hashable {
    /// What counts: opening, connecting and accepting fail with `EMFILE` from here on.
    public let soft: Int
    /// What the process may raise it to. `Int.max` for no limit.
    public let hard: Int

    /// A limit; ``current`` is this process's.
    public init(soft: Int, hard: Int) {
        self.soft = soft
        self.hard = hard
    }

    /// The highest that ``raise()`` goes. More than both daemons need together, and what a program that walks through all
    /// possible descriptors is still done with at once; in containers the hard limit is often above 10⁹.
    public static let highest = 65_536

    /// What this process has.
    public static var current: DescriptorLimit {
        var (soft, hard): (UInt64, UInt64) = (0, 0)
        // Cannot fail: the resource is one every kernel has, and the memory is there.
        _ = unsafe privyseal_descriptor_limit(&soft, &hard)
        return DescriptorLimit(soft: Int(clamping: soft), hard: Int(clamping: hard))
    }

    /// Raises the soft limit to the hard one, or to ``highest`` where that is less, and returns what is in force then. Never
    /// lowers it; where the kernel or a filter refuses, it stays.
    ///
    /// The soft limit is 1,024 by tradition, because select(2) cannot watch a descriptor from `FD_SETSIZE` on. Nothing here or in
    /// the libraries this product brings does that, and neither does SoftHSM, p11-kit, libp11 or tpm2-tss. A vendor's module
    /// that did would need a low number for what it opens itself, beside whatever connections the process holds by then.
    @discardableResult
    public static func raise() -> DescriptorLimit {
        let limit = current
        let wanted = min(limit.hard, highest)
        if limit.soft < wanted { _ = privyseal_raise_descriptor_limit(UInt64(wanted)) }
        return current
    }
}

/// Memory that is kept out of swap (mlock(2)).
public enum LockedMemory {
    /// How much of it this process may have, for people: `65536 bytes`, `unlimited` (RLIMIT_MEMLOCK, getrlimit(2)).
    public static var limitText: String {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(__RLIMIT_MEMLOCK.rawValue), &limit) == 0 else { return "unknown" }
        return limit.rlim_cur == .max ? "unlimited" : "\(limit.rlim_cur) bytes"
    }
}
