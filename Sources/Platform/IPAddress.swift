import Glibc

/// An address of IPv4 or IPv6. One of IPv4 equals the IPv6 address that it is mapped to (RFC 4291 §2.5.5.2).
public struct IPAddress: Sendable, Hashable {
    fileprivate let high: UInt64
    fileprivate let low: UInt64

    /// Reads a dotted quad, or an IPv6 address as RFC 4291 §2.2 writes it; nil for anything else.
    public init?(_ text: String) {
        var four = in_addr()
        if unsafe inet_pton(AF_INET, text, &four) == 1 {
            self.init(high: 0, low: Self.mapped | UInt64(UInt32(bigEndian: four.s_addr)))
            return
        }
        var bytes = [UInt8](repeating: 0, count: 16)
        guard unsafe inet_pton(AF_INET6, text, &bytes) == 1 else { return nil }
        self.init(high: Self.number(bytes[..<8]), low: Self.number(bytes[8...]))
    }

    fileprivate init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Whether only this machine can be at the other end.
    public var isLoopback: Bool { IPNetwork.loopback.contains { $0.contains(self) } }

    /// Whom it stands for where callers are counted: itself, or with IPv6 its /64, which is what one household is given.
    public var subscriber: IPAddress { isFour ? self : IPAddress(high: high, low: 0) }

    fileprivate var isFour: Bool { high == 0 && low & ~UInt64(UInt32.max) == Self.mapped }

    /// The address with every bit after the first `length` of 128 cleared.
    fileprivate func prefix(_ length: Int) -> IPAddress {
        IPAddress(high: high & Self.mask(length), low: low & Self.mask(length - 64))
    }

    private static let mapped: UInt64 = 0xFFFF_0000_0000

    private static func mask(_ length: Int) -> UInt64 {
        length <= 0 ? 0 : length >= 64 ? .max : ~(UInt64.max >> UInt64(length))
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }
}

/// A network: the addresses that begin alike.
public struct IPNetwork: Sendable, Hashable {
    private let address: IPAddress
    /// Of the 128 bits of the address.
    private let length: Int

    /// 127.0.0.0/8 and ::1.
    public static let loopback = ["127.0.0.0/8", "::1"].compactMap { IPNetwork($0) }

    /// Reads `192.0.2.0/24`, `2001:db8::/32`, or an address, which is a network of one; nil for anything else, and for an address
    /// with bits set after its prefix.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard let address = IPAddress(parts[0]) else { return nil }
        let most = address.isFour && !parts[0].contains(":") ? 32 : 128
        var length = most
        if parts.count == 2 {
            guard let given = Int(parts[1]), "\(given)" == parts[1], 0...most ~= given else { return nil }
            length = given
        }
        self.length = length + 128 - most
        guard address.prefix(self.length) == address else { return nil }
        self.address = address
    }

    /// Whether the address is one of the network's.
    public func contains(_ other: IPAddress) -> Bool { other.prefix(length) == address }
}
