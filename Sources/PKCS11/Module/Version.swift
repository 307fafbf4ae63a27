import CCryptoki

/// A version of Cryptoki, of a module or of a device (`CK_VERSION`).
public struct Version: Hashable, Sendable, CustomStringConvertible {
    public let major: UInt8
    /// Two digits: version 2.40 has the minor number 40.
    public let minor: UInt8

    init(_ version: CK_VERSION) {
        major = version.major
        minor = version.minor
    }

    public var description: String {
        "\(major)." + (minor < 10 ? "0\(minor)" : "\(minor)")
    }
}
