/// The name of an issuer: `[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?`.
public struct IssuerName: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let text: String

    /// `nil` when the text is no issuer name.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard (1...63).contains(bytes.count), bytes.allSatisfy(Self.isAllowed),
            bytes.first != UInt8(ascii: "-"), bytes.last != UInt8(ascii: "-")
        else { return nil }
        self.text = text
    }

    public var description: String { text }

    public static func < (left: IssuerName, right: IssuerName) -> Bool {
        left.text < right.text
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): true
        default: false
        }
    }
}
