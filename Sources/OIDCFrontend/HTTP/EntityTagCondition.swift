/// The field value of `If-None-Match` (RFC 9110 §13.1.2).
struct EntityTagCondition {
    private let text: String.UTF8View

    init(_ fieldValue: String) {
        text = fieldValue.utf8
    }

    /// Whether the condition names `etag`, compared weakly (RFC 9110 §8.8.3.2), so that the answer is 304.
    ///
    /// What does not follow the grammar matches nothing, and what stands after it is not looked at.
    func matches(_ etag: String) -> Bool {
        let opaque = etag.hasPrefix("W/") ? etag.utf8.dropFirst(2) : etag.utf8[...]
        var rest = text[...]
        skipSeparators(&rest)
        if rest.first == UInt8(ascii: "*") { return rest.dropFirst().allSatisfy(isBlank) }
        while !rest.isEmpty {
            if rest.starts(with: "W/".utf8) { rest = rest.dropFirst(2) }
            guard rest.first == quote, let closing = rest.dropFirst().firstIndex(of: quote) else { return false }
            if rest[...closing].elementsEqual(opaque) { return true }
            rest = rest[closing...].dropFirst()
            guard rest.isEmpty || rest.first == UInt8(ascii: ",") || rest.first.map(isBlank) == true else { return false }
            skipSeparators(&rest)
        }
        return false
    }

    private func skipSeparators(_ rest: inout Substring.UTF8View) {
        rest = rest.drop { isBlank($0) || $0 == UInt8(ascii: ",") }
    }

    private func isBlank(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
    }

    private let quote = UInt8(ascii: "\"")
}
