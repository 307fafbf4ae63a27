extension Unicode.Scalar {
    /// Whether it would end a line, move a terminal's cursor, change the direction of text or not be seen: C0, DEL and C1, the
    /// separators of lines and paragraphs, format characters, and what Unicode has programs that draw text leave out.
    ///
    /// No such character from a sender reaches a terminal, a log or a message as it is, and each of these has a way of its own
    /// to write it.
    package var isHidden: Bool {
        if isASCII { return value < 0x20 || value == 0x7F }
        return switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator: true
        default: properties.isDefaultIgnorableCodePoint
        }
    }
}

/// `name` as a message may show it: quoted, on one line, and short whatever a sender put into it.
public func quoted(_ name: String, limit: Int = 64) -> String {
    let shown = String(String.UnicodeScalarView(name.unicodeScalars.prefix(limit)))
    return "\"\(onOneLine(shown))\(name.unicodeScalars.count > limit ? "…" : "")\""
}

/// A text in which every character that is hidden is replaced by U+FFFD.
package func onOneLine(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: \.isHidden) else { return text }
    return String(String.UnicodeScalarView(text.unicodeScalars.map { $0.isHidden ? "\u{FFFD}" : $0 }))
}
