import CPlatform
import Glibc

/// The supplementary groups of the process at the other end of a Unix socket, as the kernel recorded them when the
/// connection was made (unix(7), SO_PEERGROUPS).
public struct PeerGroups: Sendable, Hashable {
    /// In ascending order.
    public let gids: [UInt32]

    /// Groups the kernel lets a process have (NGROUPS_MAX).
    private static let most = 65_536
    /// More than nearly every process has.
    private static let usual = 32

    /// Asks the kernel about a connected Unix socket.
    public init(socket: CInt) throws(PlatformError) {
        var count = Self.usual
        var gids = [UInt32](repeating: 0, count: count)
        var failure = unsafe privyseal_peer_groups(socket, &gids, &count)
        if failure == ERANGE {
            count = Self.most
            gids = [UInt32](repeating: 0, count: count)
            failure = unsafe privyseal_peer_groups(socket, &gids, &count)
        }
        guard failure == 0 else {
            throw PlatformError(
                .systemCall, "getsockopt SO_PEERGROUPS: \(systemErrorText(failure))",
                hint: "only Unix sockets have peer groups")
        }
        self.gids = Array(gids.prefix(count))
    }
}

/// The uid that stands for users of another user namespace.
public enum OverflowUser {
    /// `/proc/sys/kernel/overflowuid`, 65534 where that cannot be read.
    public static func uid() -> UInt32 { overflowNumber("overflowuid") }
}

/// The gid that stands for groups of another user namespace.
public enum OverflowGroup {
    /// `/proc/sys/kernel/overflowgid`, 65534 where that cannot be read.
    public static func gid() -> UInt32 { overflowNumber("overflowgid") }
}

/// The kernel's default where the file is hidden, as in a unit with `ProcSubset=pid`, or has no number in it.
private func overflowNumber(_ name: String) -> UInt32 {
    guard let bytes = try? RegularFile.read(path: "/proc/sys/kernel/\(name)", limit: 64) else { return 65_534 }
    return UInt32(String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)) ?? 65_534
}
