/// A pattern of an access rule: text in which `*` stands for any characters, or none.
public struct Glob: Hashable, Sendable, CustomStringConvertible {
    public let text: String
    /// What stands between the stars.
    private let parts: [[UInt8]]

    /// `nil` for an empty text, and for one with another wildcard than `*`: `?`, `[`, `]`, `{`, `}` or a backslash.
    public init?(_ text: String) {
        let others: Set<UInt8> = Set("?[]{}\\".utf8)
        guard !text.isEmpty, !text.utf8.contains(where: others.contains) else { return nil }
        self.text = text
        parts = text.utf8.split(separator: UInt8(ascii: "*"), omittingEmptySubsequences: false).map(Array.init)
    }

    public var description: String { text }

    /// Whether it stands for every text.
    public var isAny: Bool { parts.count > 1 && parts.allSatisfy(\.isEmpty) }

    public func matches(_ text: String) -> Bool {
        let bytes = text.utf8.span
        guard let first = parts.first, let last = parts.last else { return false }
        guard parts.count > 1 else { return bytes.count == first.count && Self.holds(bytes, first, at: 0) }
        let end = bytes.count - last.count
        guard end >= first.count, Self.holds(bytes, first, at: 0), Self.holds(bytes, last, at: end) else { return false }
        // The leftmost place for each part leaves the most room for the others.
        var position = first.count
        for part in parts.dropFirst().dropLast() {
            guard let place = Self.place(of: part, in: bytes, from: position, to: end) else { return false }
            position = place + part.count
        }
        return true
    }

    private static func place(of part: [UInt8], in bytes: Span<UInt8>, from start: Int, to end: Int) -> Int? {
        guard part.count <= end - start else { return nil }
        return (start...(end - part.count)).first { holds(bytes, part, at: $0) }
    }

    /// Whether `part` stands at `position`, from where there are as many bytes.
    private static func holds(_ bytes: Span<UInt8>, _ part: [UInt8], at position: Int) -> Bool {
        for offset in part.indices where bytes[position + offset] != part[offset] { return false }
        return true
    }
}
