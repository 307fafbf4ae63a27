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
        let bytes = Array(text.utf8)
        guard let first = parts.first, let last = parts.last, parts.count > 1 else { return bytes == parts.first }
        guard bytes.count >= first.count + last.count, bytes.starts(with: first), bytes.suffix(last.count) == last[...] else {
            return false
        }
        // The leftmost place for each part leaves the most room for the others.
        var rest = bytes[first.count..<(bytes.count - last.count)]
        for part in parts.dropFirst().dropLast() where !part.isEmpty {
            guard let place = Self.place(of: part, in: rest) else { return false }
            rest = rest[place...].dropFirst(part.count)
        }
        return true
    }

    private static func place(of part: [UInt8], in bytes: ArraySlice<UInt8>) -> Int? {
        guard part.count <= bytes.count else { return nil }
        return (bytes.startIndex...(bytes.endIndex - part.count)).first { bytes[$0...].starts(with: part) }
    }
}
