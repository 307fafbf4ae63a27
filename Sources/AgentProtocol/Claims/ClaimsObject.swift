public import StrictJSON

/// The claims of a JWT to be (RFC 7519 §4), as the bytes they came in and what of them policy looks at.
///
/// Whoever has one knows: it is a JSON object that all parsers read alike, with an audience.
public struct ClaimsObject: Sendable {
    /// `iss`; nil when absent.
    public let issuer: String?
    /// `sub`; nil when absent.
    public let subject: String?
    /// `aud`, a single string as an array of one; never empty, nor is any of them.
    public let audience: [String]
    /// `iat`, in seconds since 1970; nil when absent.
    public let issuedAt: Int64?
    /// `nbf`, in seconds since 1970; nil when absent.
    public let notBefore: Int64?
    /// `exp`, in seconds since 1970; nil when absent.
    public let expiration: Int64?
    /// `jti`; nil when absent.
    public let id: String?

    /// The names of the claims beside those of RFC 7519 §4.1, as places in `text`; nil when they are read anew.
    private let others: [JSONScanner.StringToken]?
    private let text: JSONSlice
    /// The object's place in its source, with the white space around it when the claims are a text of their own.
    private let whole: Range<Int>

    /// Reads a whole text that must be a claims object, such as a decoded `payload`.
    ///
    /// - Throws: `CLAIMS_INVALID`.
    public init(parsing text: [UInt8]) throws(ProtocolError) {
        let slice: JSONSlice
        do throws(JSONError) {
            slice = try JSONSlice(validating: text)
        } catch {
            throw Self.invalid("the claims are not JSON: \(error.message)")
        }
        try self.init(slice, whole: text.indices)
    }

    /// Reads claims that are part of a request.
    ///
    /// - Throws: `CLAIMS_INVALID`: for what is no object, a repeated member at any depth, also one that is so but for the case
    ///   of letters, a name that some parser takes for a registered claim or misreads otherwise, NUL in a string, a number that
    ///   parsers disagree on, an absent or empty `aud`, a date that is no literal integer, or a registered claim of another
    ///   type or with a control character in it.
    public init(_ slice: JSONSlice) throws(ProtocolError) {
        try self.init(slice, whole: slice.range)
    }

    private init(_ slice: JSONSlice, whole: Range<Int>) throws(ProtocolError) {
        guard slice.isObject else { throw Self.invalid("the claims must be a JSON object") }
        var members = RegisteredClaims()
        do throws(ClaimsFailure) {
            try members.scan(slice)
        } catch {
            throw Self.invalid(error.message, hint: error.hint)
        }
        guard let audience = members.audience else {
            throw Self.invalid("the claims must hold \"aud\"", hint: "name the relying parties the JWT is for in \"aud\"")
        }
        issuer = members.issuer
        subject = members.subject
        self.audience = audience
        issuedAt = members.issuedAt
        notBefore = members.notBefore
        expiration = members.expiration
        id = members.id
        others = members.others
        text = slice
        self.whole = whole
    }

    /// The names of the claims beside the registered ones (RFC 7519 §4.1), each of the object itself, made anew each time.
    public var otherNames: [String] {
        // It has been scanned before, so it can be again; and if not, nothing must look as if there were none.
        guard let names = others ?? Self.allOthers(text) else { return [""] }
        let scanner = JSONScanner(text, checking: [])
        return names.map { scanner.string($0) }
    }

    private static func allOthers(_ text: JSONSlice) -> [JSONScanner.StringToken]? {
        var members = RegisteredClaims(keepingAllNames: true)
        guard (try? members.scan(text)) != nil else { return nil }
        return members.others
    }

    /// The claims as they were received, byte for byte.
    public var bytes: [UInt8] {
        Array(text.source[whole])
    }

    /// How many bytes that is.
    public var size: Int {
        whole.count
    }

    /// The payload to be signed: the claims that are absent first, then the bytes that were received.
    ///
    /// Claims that are present are kept, whatever is given here.
    public func filling(issuer: String, issuedAt: Int64, notBefore: Int64, expiration: Int64, id: String) -> [UInt8] {
        var payload = JSONText(capacity: size + 192)
        var separator = "{"

        func append(_ name: String, _ isPresent: Bool, _ value: (inout JSONText) -> Void) {
            guard !isPresent else { return }
            payload.append(raw: separator)
            payload.append(raw: name)
            value(&payload)
            separator = ","
        }
        append("\"iss\":", self.issuer != nil) { $0.append(string: issuer) }
        append("\"iat\":", self.issuedAt != nil) { $0.append(integer: issuedAt) }
        append("\"nbf\":", self.notBefore != nil) { $0.append(integer: notBefore) }
        append("\"exp\":", self.expiration != nil) { $0.append(integer: expiration) }
        append("\"jti\":", self.id != nil) { $0.append(string: id) }
        // The object has at least its "aud", so what follows its brace is a member.
        payload.append(raw: separator)
        payload.append(raw: text.bytes.dropFirst())
        return payload.bytes
    }

    static func invalid(_ message: String, hint: String? = nil) -> ProtocolError {
        ProtocolError(.claimsInvalid, message, hint: hint)
    }
}
