import CCryptoki

/// What a module says about itself (`CK_INFO`, PKCS#11 v2.40 base §3.1).
public struct ModuleInfo: Hashable, Sendable {
    public let cryptokiVersion: Version
    public let manufacturerID: String
    public let libraryDescription: String
    public let libraryVersion: Version

    init(_ info: CK_INFO) {
        cryptokiVersion = Version(info.cryptokiVersion)
        manufacturerID = paddedText(info.manufacturerID)
        libraryDescription = paddedText(info.libraryDescription)
        libraryVersion = Version(info.libraryVersion)
    }
}

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

/// The text in a fixed field of a Cryptoki structure: UTF-8, filled up with spaces (PKCS#11 v2.40 base §3.1).
///
/// Some modules fill up with zeroes, or end the text with one; both are taken off too.
func paddedText<Field>(_ field: Field) -> String {
    unsafe withUnsafeBytes(of: field) { bytes in
        var text = unsafe bytes.prefix { $0 != 0 }
        while unsafe text.last == UInt8(ascii: " ") { unsafe text.removeLast() }
        return unsafe String(decoding: text, as: UTF8.self)
    }
}
