public import CPlatform
import Glibc

/// The supplementary groups of the process at the other end of a Unix socket, as the kernel recorded them when the
/// connection was made (unix(7), SO_PEERGROUPS).
public struct PeerGroups: Sendable, Hashable {
    public let gids: [UInt32]

    /// What the kernel fills in: the value type to ask a socket option provider for, which gives it zeroed memory. A process
    /// with more than 256 groups makes the option fail.
    public typealias Raw = privyseal_peer_group_list

    /// `SO_PEERGROUPS`; the level is ``PeerCredentials/optionLevel``.
    public static var optionName: CInt { privyseal_so_peergroups }

    /// Groups from the option's value. The kernel sorts them, so group 0 counts only where others follow: alone it cannot be
    /// told from none.
    public init(_ raw: Raw) {
        let all = unsafe withUnsafeBytes(of: raw) { bytes in unsafe Array(bytes.bindMemory(to: UInt32.self)) }
        let end = all.lastIndex { $0 != 0 }.map { $0 + 1 } ?? 0
        gids = Array(all[..<end])
    }
}

/// The uid that stands for users of another user namespace.
public enum OverflowUser {
    /// `/proc/sys/kernel/overflowuid`, 65534 where that cannot be read.
    public static func uid() -> UInt32 {
        guard let bytes = try? RegularFile.read(path: "/proc/sys/kernel/overflowuid", limit: 64) else { return 65_534 }
        return UInt32(String(decoding: bytes, as: UTF8.self).filter(\.isNumber)) ?? 65_534
    }
}
