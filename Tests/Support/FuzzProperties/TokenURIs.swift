import PKCS11

extension FuzzTarget {
    static let tokenURI = FuzzTarget("token-uri", "the PKCS#11 URI that names the token", longestInput: 512) {
        bytes throws(Violation) in
        guard let text = String(validating: bytes, as: UTF8.self) else { return }
        let uri: TokenURI
        do throws(PKCS11Error) {
            uri = try TokenURI(text)
        } catch {
            try require(error.code == .uriMalformed, "\(error.code) is no refusal of a URI")
            try require(isOneLine(error.message), "the message is not one line: \(error.message.debugDescription)")
            return try checkSilence(error.message, of: text)
        }
        guard let again = try? TokenURI(uri.description) else { throw Violation("p11-kit's own text is refused: \(uri)") }
        try require(again == uri, "\(uri) is another when it is read again")
        // p11-kit passes over white space wherever it stands.
        let letters = text.lowercased().unicodeScalars.filter { !" \t\n\u{B}\u{C}\r".unicodeScalars.contains($0) }
        try require(
            String(String.UnicodeScalarView(letters)).utf8.starts(with: "pkcs11:".utf8), "a URI of another scheme was taken")
        for field in [uri.label, uri.manufacturerID, uri.model, uri.serialNumber] {
            try require(field?.isEmpty != true, "a field is empty and not absent")
        }
    }

    /// A PIN that somebody wrote into the URI, however they spelt the attribute, is not repeated.
    private static func checkSilence(_ message: String, of text: String) throws(Violation) {
        for part in text.split(whereSeparator: { ";?&".contains($0) }) {
            let sides = part.split(separator: "=", maxSplits: 1)
            // Digits, since words may be the message's own.
            guard sides.count == 2, sides[0].lowercased().contains("pin"), sides[1].utf8.count >= 5,
                sides[1].utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
            else { continue }
            try require(!message.contains(sides[1]), "the message shows the value of \(sides[0]): \(message)")
        }
    }
}
