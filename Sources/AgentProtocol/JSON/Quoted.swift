/// `name` as a message may show it: quoted, on one line, and short whatever a sender put into it.
public func quoted(_ name: String, limit: Int = 64) -> String {
    var shown = ""
    for character in name.unicodeScalars.prefix(limit) {
        let isPlain =
            character.value >= 0x20 && character.value != 0x7F && !character.properties.isDefaultIgnorableCodePoint
            && character.properties.generalCategory != .control && character.properties.generalCategory != .lineSeparator
            && character.properties.generalCategory != .paragraphSeparator
        shown.unicodeScalars.append(isPlain ? character : "\u{FFFD}")
    }
    return "\"\(shown)\(name.unicodeScalars.count > limit ? "…" : "")\""
}
