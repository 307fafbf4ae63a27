import Platform

/// A duration in a configuration file, with its unit: `90s`, `24h`, `1h30m`, `7d`. A bare number is refused.
public struct DurationValue: Decodable, Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The duration in seconds.
    public let seconds: Int64

    /// A duration of whole seconds.
    public init(seconds: Int64) {
        self.seconds = seconds
    }

    /// Decodes the text.
    public init(from decoder: any Decoder) throws {
        seconds = try DurationText.parse(decoder.singleValueContainer().decode(String.self))
    }

    /// Compares the seconds.
    public static func < (left: DurationValue, right: DurationValue) -> Bool { left.seconds < right.seconds }

    /// As it would be written: `24h`.
    public var description: String { DurationText.format(seconds: seconds) }
}

/// A file mode in a configuration file, three or four octal digits: `"0660"`.
public struct FileModeValue: Decodable, Sendable, Hashable, CustomStringConvertible {
    /// The permission bits.
    public let bits: UInt32

    /// A mode from its permission bits.
    public init(bits: UInt32) {
        self.bits = bits
    }

    /// Decodes the text.
    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let bits = FileMode.parse(text) else {
            throw InvalidConfigurationValue("\"\(text)\" is not a file mode", hint: "write four octal digits, such as \"0660\"")
        }
        self.bits = bits
    }

    /// Four octal digits.
    public var description: String { FileMode.text(bits) }
}

/// A size in a configuration file, with its unit: `512KiB`, `64MiB`, `1GiB`, `2TiB`. A bare number is refused.
public struct SizeValue: Decodable, Sendable, Hashable, CustomStringConvertible {
    /// The size in bytes.
    public let bytes: Int

    private static let units: [(name: String, shift: Int)] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)]

    /// A size of so many bytes.
    public init(bytes: Int) {
        self.bytes = bytes
    }

    /// Decodes the text.
    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let unit = Self.units.first(where: { text.hasSuffix($0.name) }),
            let number = Self.number(text.dropLast(unit.name.count)),
            case let (bytes, isTooLarge) = number.multipliedReportingOverflow(by: 1 << unit.shift), !isTooLarge
        else {
            throw InvalidConfigurationValue(
                "\"\(text)\" is not a size", hint: "write a whole number with its unit: 512KiB, 64MiB, 1GiB, 2TiB")
        }
        self.bytes = bytes
    }

    private static func number(_ digits: Substring) -> Int? {
        guard digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { return nil }
        return Int(digits)
    }

    /// As it would be written: `1GiB`; in bytes where no unit fits.
    public var description: String {
        let unit = Self.units.first { bytes != 0 && bytes % (1 << $0.shift) == 0 }
        return unit.map { "\(bytes >> $0.shift)\($0.name)" } ?? "\(bytes) bytes"
    }
}

/// A network, or one address, in a configuration file: `192.0.2.0/24`, `2001:db8::7`.
public struct NetworkValue: Decodable, Sendable, Hashable {
    /// The network.
    public let network: IPNetwork

    /// Decodes the text.
    public init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let network = IPNetwork(text) else {
            throw InvalidConfigurationValue(
                "\"\(text)\" is neither an address nor a network",
                hint: "write 192.0.2.7, or 192.0.2.0/24 with no bit set after the 24")
        }
        self.network = network
    }
}
