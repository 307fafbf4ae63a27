import CCryptoki
import Glibc

/// A PKCS#11 URI that names a token (RFC 7512), such as `pkcs11:token=privyseal;serial=0123`.
///
/// Attributes of the token, its slot and its module are accepted. Attributes of an object and the query attributes
/// (`pin-value`, `pin-source`, `module-name`, `module-path`) are refused: none of them says which token is meant, and a
/// PIN in a URI ends up in logs.
public struct TokenURI: Hashable, Sendable {
    /// The `token` attribute.
    public let label: String?
    /// The `manufacturer` attribute.
    public let manufacturerID: String?
    /// The `model` attribute.
    public let model: String?
    /// The `serial` attribute.
    public let serialNumber: String?
    /// The `slot-id` attribute.
    public let slotID: UInt?

    /// The URI in p11-kit's spelling of it.
    let text: String

    /// Parses a URI.
    ///
    /// Throws ``PKCS11Error`` with the code `uriMalformed`. The message does not repeat the text: somebody may have written a
    /// PIN into it, in whatever spelling.
    public init(_ text: String) throws(PKCS11Error) {
        func malformed(_ reason: String, hint: String = "give a URI such as pkcs11:token=LABEL") -> PKCS11Error {
            PKCS11Error(.uriMalformed, "the token URI \(reason)", hint: hint)
        }
        // p11-kit takes a C string: it would see no more than what stands before a zero.
        guard !text.utf8.contains(0) else { throw malformed("holds a zero byte") }
        // p11-kit leaves it out, so that another token would be meant.
        guard !text.utf8.contains(where: { $0 == UInt8(ascii: " ") || 0x09...0x0D ~= $0 }) else {
            throw malformed("holds white space", hint: "write %20 for a space: pkcs11:token=My%20Token")
        }
        for (attribute, limit) in Self.lengths {
            guard let length = length(of: attribute, in: text), length > limit else { continue }
            throw malformed(
                "has a \(attribute) of \(length) bytes, and a token's has \(limit) at most",
                hint: "copy it as the token shows it: privyseald token list")
        }
        let uri = try unsafe ParsedURI(text) { reason in malformed("is malformed: \(reason)") }
        defer { unsafe uri.free() }

        for (attribute, isPresent) in unsafe uri.queryAttributes where isPresent {
            throw malformed(
                "holds \(attribute), which is not used",
                hint: attribute.hasPrefix("pin")
                    ? "take it out of the URI; the PIN has a setting of its own"
                    : "take it out of the URI; the module has a setting of its own")
        }
        guard unsafe !uri.namesObject else {
            throw malformed("names an object", hint: "leave out object, type and id: the URI is to name a token")
        }
        guard unsafe !uri.holdsUnknownAttribute else {
            throw malformed(
                "holds an attribute that RFC 7512 does not have",
                hint: "use token, manufacturer, serial, model, slot-id or the library- attributes")
        }
        let info = unsafe uri.tokenInfo
        label = nonempty(info.label)
        manufacturerID = nonempty(info.manufacturerID)
        model = nonempty(info.model)
        serialNumber = nonempty(info.serialNumber)
        slotID = unsafe uri.slotID
        guard let canonical = unsafe uri.format() else { throw malformed("cannot be written down again") }
        self.text = canonical
    }
}

extension TokenURI {
    /// How long a token's, and a module's, own fields are (PKCS#11 v2.40 base §3.1, §3.2).
    private static let lengths = [
        ("token", 32), ("manufacturer", 32), ("model", 16), ("serial", 16), ("library-manufacturer", 32),
        ("library-description", 32),
    ]
}

/// How many bytes an attribute of a URI's path stands for; nil for one that it has not.
private func length(of attribute: String, in text: String) -> Int? {
    let path = text.utf8.drop { $0 != UInt8(ascii: ":") }.dropFirst().prefix { $0 != UInt8(ascii: "?") }
    let name = Array("\(attribute)=".utf8)
    let value = path.split(separator: UInt8(ascii: ";")).first { $0.starts(with: name) }?.dropFirst(name.count)
    // Each escape is one, with two digits behind the sign; what is none is refused by p11-kit.
    return value.map { value in value.count - 2 * value.count { $0 == UInt8(ascii: "%") } }
}

/// The text of a field, nil for one that p11-kit has left as zeroes because the URI does not have the attribute.
private func nonempty<Field>(_ field: Field) -> String? {
    let text = paddedText(field)
    return text.isEmpty ? nil : text
}

extension TokenURI: CustomStringConvertible {
    public var description: String { text }
}
