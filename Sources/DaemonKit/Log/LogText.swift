import StrictJSON

/// Text that cannot end a line, start another or move a terminal's cursor.
enum LogText {
    /// The text with line breaks and whatever else is not seen written as escapes.
    static func escaped(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: \.isHidden) else { return text }
        return escaped(text, also: { _ in false })
    }

    /// One word of a `key=value` pair: in quotes where it could be read as something else.
    static func word(_ text: String) -> String {
        let plain = !text.isEmpty && text.unicodeScalars.allSatisfy { !$0.isHidden && !" =\"\\".unicodeScalars.contains($0) }
        return plain ? text : "\"\(escaped(text, also: { $0 == "\"" || $0 == "\\" }))\""
    }

    /// A JSON string literal (RFC 8259 §7).
    static func json(_ text: String) -> String {
        var literal = [UInt8(ascii: "\"")]
        literal.append(text, escaping: .hidden)
        literal.append(UInt8(ascii: "\""))
        return String(decoding: literal, as: UTF8.self)
    }

    private static func escaped(_ text: String, also isSpecial: (Unicode.Scalar) -> Bool) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where scalar.isHidden: result += "\\u{\(String(scalar.value, radix: 16))}"
            case _ where isSpecial(scalar):
                result += "\\"
                result.unicodeScalars.append(scalar)
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
