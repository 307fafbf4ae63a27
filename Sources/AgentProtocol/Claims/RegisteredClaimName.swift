import StrictJSON

/// The names that RFC 7519 §4.1 registers, and what some parsers take for them.
public enum RegisteredClaimName {
    static let all = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"]

    /// The registered name that some parser takes `name` for although it is another; nil when it is none, or is it itself.
    ///
    /// They look for it without regard to the case of letters, and, as Go's encoding/json/v2 can, to `-` and `_`.
    public static func imitated(by name: String) -> String? {
        var seen = String.UnicodeScalarView()
        for scalar in name.unicodeScalars {
            guard scalar != "-", scalar != "_", !scalar.properties.isDefaultIgnorableCodePoint else { continue }
            seen.append(scalar)
            // Three letters, each with a dot of its own above.
            guard seen.count <= 6 else { return nil }
        }
        guard let folded = CaseFolding.folded(Array(String(seen).utf8)) else { return nil }
        return all.first { $0 == folded && !$0.utf8.elementsEqual(name.utf8) }
    }

    /// As `imitated(by:)`, for a name in a text that is not a registered one.
    static func imitated(by token: JSONScanner.StringToken, in scanner: JSONScanner) -> String? {
        guard token.isPlain else { return imitated(by: scanner.string(token)) }
        let text = scanner.bytes.span
        var letters: UInt32 = 0
        var count = 0
        for place in token.start..<token.end {
            let byte = text[place]
            guard byte != UInt8(ascii: "-"), byte != UInt8(ascii: "_") else { continue }
            count += 1
            guard count <= 3 else { return nil }
            letters = letters << 8 | UInt32(UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte ? byte | 0x20 : byte)
        }
        guard count == 3 else { return nil }
        return all.first { name in name.utf8.reduce(0) { $0 << 8 | UInt32($1) } == letters }
    }
}

extension ClaimsObject {
    /// Whether parsers that do not regard the case of letters take two names of claims for one.
    public static func areSameButForCase(_ left: String, _ right: String) -> Bool {
        guard let left = CaseFolding.folded(Array(left.utf8)), let right = CaseFolding.folded(Array(right.utf8)) else {
            return false
        }
        return left == right
    }
}
