/// Names as parsers see them that do not regard the case of letters.
///
/// They do it in many ways: Go's encoding/json by Unicode's simple case folding, Java by upper and then lower case of each
/// character, .NET by upper case, Python and JavaScript by the upper or lower case of the whole text, or by full case
/// folding. Here all are equal that are so in any of these ways, and so are dotless, dotted and plain i, and what is
/// canonically equivalent (UAX #15), which Swift takes for one key of a dictionary.
package enum CaseFolding {
    /// A text that is equal, as Swift compares, for all names that are the same to some such parser.
    ///
    /// Nil for more combining marks in a row than text has (UAX #15 §13): to order them costs the square of their number.
    ///
    /// - Parameter name: valid UTF-8.
    package static func folded(_ name: [UInt8]) -> String? {
        guard name.contains(where: { $0 >= 0x80 }) else {
            return String(decoding: name.map { UInt8(ascii: "A")...UInt8(ascii: "Z") ~= $0 ? $0 | 0x20 : $0 }, as: UTF8.self)
        }
        var folded = String.UnicodeScalarView()
        var marks = 0
        for scalar in String(decoding: name, as: UTF8.self).unicodeScalars {
            // The first mark is U+0300; to ask of every letter before it would take as long as all else.
            let isMark = scalar.value >= 0x300 && scalar.properties.canonicalCombiningClass != .notReordered
            marks = isMark ? marks + 1 : 0
            guard marks <= mostMarks else { return nil }
            if let others = table[scalar] {
                for other in others { append(other, to: &folded) }
            } else {
                append(scalar, to: &folded)
            }
        }
        return String(folded)
    }

    /// Of Unicode's Stream-Safe Text Format.
    private static let mostMarks = 30

    private static func append(_ scalar: Unicode.Scalar, to folded: inout String.UnicodeScalarView) {
        // What is left of a dotted capital I, whether it came as one character or as two.
        if scalar == "\u{307}", folded.last == "i" { return }
        folded.append(scalar)
    }

    /// What each character with case, or of another case, folds to. Made once, of what the standard library knows.
    private static let table: [Unicode.Scalar: [Unicode.Scalar]] = {
        var table: [Unicode.Scalar: [Unicode.Scalar]] = [:]
        // Planes 2 and up have no letters with case.
        for value in UInt32(0)..<0x20000 {
            guard let scalar = Unicode.Scalar(value), scalar.properties.changesWhenCaseMapped else { continue }
            let folded = lower(upper(lower([scalar])))
            if folded != [scalar] { table[scalar] = folded }
        }
        return table
    }()

    // Lower case first, for the capital sharp s: it has a lower case, ß, and the upper case of that is SS.
    private static func lower(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
        text.flatMap { Array($0.properties.lowercaseMapping.unicodeScalars) }
    }

    private static func upper(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
        text.flatMap { Array($0.properties.uppercaseMapping.unicodeScalars) }
    }
}
