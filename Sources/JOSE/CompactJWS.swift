import StrictJSON

/// A JWS in compact serialization (RFC 7515 §7.1), taken apart; and the first step of making one.
public struct CompactJWS: Sendable, Equatable {
    /// What the signature is over: the first two parts with the dot between them, as they were received.
    public let signingInput: [UInt8]
    /// The protected header's JSON, not looked into.
    public let header: [UInt8]
    /// The payload, not looked into.
    public let payload: [UInt8]
    /// The signature, in JWS's form of it.
    public let signature: [UInt8]

    /// Takes a compact JWS apart.
    ///
    /// - Throws: ``JOSEError/Code/compactJWSInvalid`` when it is not three parts of canonical base64url, the first and the
    ///   last not empty.
    public init(parsing text: [UInt8]) throws(JOSEError) {
        let parts = text.split(separator: Self.dot, maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count == 3 else {
            throw JOSEError(.compactJWSInvalid, "text does not have the three dot-separated parts of a JWT")
        }
        do {
            header = try Base64URL.decode(parts[0])
            payload = try Base64URL.decode(parts[1])
            signature = try Base64URL.decode(parts[2])
        } catch {
            throw JOSEError(.compactJWSInvalid, "a part of the JWT is not base64url", cause: error)
        }
        guard !header.isEmpty, !signature.isEmpty else {
            throw JOSEError(.compactJWSInvalid, "the JWT has no header or no signature")
        }
        signingInput = Array(text[..<parts[1].endIndex])
    }

    /// The signing input `base64url(header) . base64url(payload)` (RFC 7515 §5.1 step 8).
    public static func signingInput(_ header: ProtectedHeader, payload: [UInt8]) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(header.base64URL.count + Base64URL.encodedCount(payload.count) + 1)
        text += header.base64URL
        text.append(dot)
        Base64URL.append(payload, to: &text)
        return text
    }

    private static let dot = UInt8(ascii: ".")
}

/// The JWS protected header of every JWT that one key signs (RFC 7515 §4), encoded once.
///
/// It holds `alg`, `kid` and `typ: "JWT"` and nothing else: whatever else a header may say, a relying party may obey.
public struct ProtectedHeader: Sendable, Equatable {
    /// The header as compact JSON, members in the order `alg`, `kid`, `typ`.
    public let json: [UInt8]
    /// The base64url text of ``json``, the first part of the compact serialization.
    public let base64URL: [UInt8]

    /// The header for JWTs signed with `algorithm` by the key called `kid`.
    public init(algorithm: JWSAlgorithm, kid: String) {
        let header: JSONValue = ["alg": .string(algorithm.rawValue), "kid": .string(kid), "typ": "JWT"]
        json = header.encoded()
        base64URL = Base64URL.encode(json)
    }
}
