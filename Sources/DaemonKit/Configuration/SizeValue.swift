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
