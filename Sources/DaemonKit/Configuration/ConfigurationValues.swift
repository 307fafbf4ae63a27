public import Platform

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

/// A directory in a configuration file that is trusted whatever its mode: an absolute path in its plain form.
public struct TrustedDirectoryValue: Decodable, Sendable, Hashable {
    /// The path.
    public let path: String

    /// Decodes the text.
    public init(from decoder: any Decoder) throws {
        path = try decoder.singleValueContainer().decode(String.self)
        guard let reason = TrustedDirectories.reason(against: path) else { return }
        throw InvalidConfigurationValue(
            "\"\(path)\" \(reason)", hint: "write the whole path of a volume, from / on, such as /run/privyseal")
    }
}

extension TrustedDirectories {
    /// Those of a configuration, none where it names none.
    public init(_ values: [TrustedDirectoryValue]?) {
        self.init(values?.map(\.path) ?? [])
    }
}
