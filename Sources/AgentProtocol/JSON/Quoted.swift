/// `name` as a message may show it: quoted, on one line, and short whatever a sender put into it.
public func quoted(_ name: String, limit: Int = 64) -> String {
    let shown = String(String.UnicodeScalarView(name.unicodeScalars.prefix(limit)))
    return "\"\(onOneLine(shown))\(name.unicodeScalars.count > limit ? "…" : "")\""
}

/// A text in which what would end a line, move a terminal's cursor or not be seen is replaced by U+FFFD.
func onOneLine(_ text: String) -> String {
    guard !text.unicodeScalars.allSatisfy(\.isShown) else { return text }
    return String(String.UnicodeScalarView(text.unicodeScalars.map { $0.isShown ? $0 : "\u{FFFD}" }))
}

extension Unicode.Scalar {
    fileprivate var isShown: Bool {
        if isASCII { return value >= 0x20 && value != 0x7F }
        return switch properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: false
        default: !properties.isDefaultIgnorableCodePoint
        }
    }
}
