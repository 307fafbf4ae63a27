public import StrictJSON

/// The `params` of `sign`, read so that the claims keep their bytes.
public struct SignRequest: Sendable {
    /// The name of an issuer, not looked into.
    public let issuer: String
    public let claims: ClaimsObject
    /// Whether the claims came as a `payload`, to be signed byte for byte: whether they are complete is for policy to say.
    /// Otherwise what is absent is to be filled in.
    public let isPayload: Bool
    /// Seconds from now to `exp` when the claims hold none; nil for the issuer's default.
    public let lifetimeSeconds: Int?

    /// Reads the `params` of a `sign` request. A member that is `null` is an absent one.
    ///
    /// - Throws: `INVALID_PARAMS` for wrong parameters, `CLAIMS_INVALID` for what is wrong inside `claims` or `payload`.
    public static func decode(_ params: JSONSlice?) throws(ProtocolError) -> SignRequest {
        guard let params else { throw ParameterDecoder.missing("issuer") }
        var members = SignMembers()
        try members.scan(params)
        return try members.request()
    }
}

/// The parameters of `sign` as they stand in the request.
private struct SignMembers {
    private var issuer: String?
    private var claims: JSONSlice?
    private var payload: ArraySlice<UInt8>?
    private var lifetimeSeconds: Int?
    private var seen: Members = []
    /// The first thing that is wrong; kept until the scan is through.
    private var failure: ProtocolError?

    private struct Members: OptionSet {
        let rawValue: UInt8
        static let issuer = Members(rawValue: 1)
        static let claims = Members(rawValue: 2)
        static let payload = Members(rawValue: 4)
        static let lifetimeSeconds = Members(rawValue: 8)
    }

    mutating func scan(_ params: JSONSlice) throws(ProtocolError) {
        guard params.isObject else { throw ProtocolError(.invalidParams, "\"params\" must be an object") }
        var scanner = JSONScanner(params, checking: [])
        do throws(JSONError) {
            var object = try scanner.openObject()
            while let name = try scanner.nextMember(&object) {
                try scanMember(name, &scanner)
            }
        } catch {
            throw ProtocolError(.invalidParams, "the parameters cannot be read: \(error.message)")
        }
        if let failure { throw failure }
    }

    func request() throws(ProtocolError) -> SignRequest {
        guard let issuer else { throw ParameterDecoder.missing("issuer") }
        let claims = try object()
        return SignRequest(issuer: issuer, claims: claims, isPayload: payload != nil, lifetimeSeconds: lifetimeSeconds)
    }

    private func object() throws(ProtocolError) -> ClaimsObject {
        switch (claims, payload) {
        case (let claims?, nil):
            return try ClaimsObject(claims)
        case (nil, let payload?):
            guard lifetimeSeconds == nil else {
                throw ProtocolError(
                    .invalidParams, "parameter \"lifetimeSeconds\" does not go with \"payload\"",
                    hint: "set \"exp\" in the payload")
            }
            return try Self.object(payload)
        case (nil, nil):
            throw ProtocolError(.invalidParams, "missing parameter \"claims\" (or \"payload\")")
        case (_?, _?):
            throw ProtocolError(.invalidParams, "parameters \"claims\" and \"payload\" exclude each other")
        }
    }

    private static func object(_ payload: ArraySlice<UInt8>) throws(ProtocolError) -> ClaimsObject {
        guard let text = try? Base64URLText.decode(payload) else {
            throw ClaimsObject.invalid("the payload is not base64url without padding")
        }
        return try ClaimsObject(parsing: text)
    }

    private mutating func scanMember(_ name: JSONScanner.StringToken, _ scanner: inout JSONScanner) throws(JSONError) {
        if scanner.string(name, is: "issuer") {
            note(.issuer, "issuer")
            issuer = try scanString("issuer", &scanner).map(scanner.string)
        } else if scanner.string(name, is: "claims") {
            note(.claims, "claims")
            let slice = try scanner.sliceValue()
            claims = slice.isNull ? nil : slice
        } else if scanner.string(name, is: "payload") {
            note(.payload, "payload")
            payload = try scanString("payload", &scanner).map { token in
                token.isEscaped ? scanner.unescaped(token)[...] : scanner.bytes[token.start..<token.end]
            }
        } else if scanner.string(name, is: "lifetimeSeconds") {
            note(.lifetimeSeconds, "lifetimeSeconds")
            lifetimeSeconds = try scanInteger("lifetimeSeconds", &scanner)
        } else {
            refuse(
                ParameterDecoder.unknown(
                    scanner.string(name), method: SignParameters.method, known: SignParameters.memberNames))
            try scanner.skipValue()
        }
    }

    private mutating func scanString(
        _ name: String, _ scanner: inout JSONScanner
    ) throws(JSONError) -> JSONScanner.StringToken? {
        if scanner.isAtString {
            return try scanner.scanString()
        }
        try skip(name, butNull: "a string", &scanner)
        return nil
    }

    private mutating func scanInteger(_ name: String, _ scanner: inout JSONScanner) throws(JSONError) -> Int? {
        guard scanner.isAtNumber else {
            try skip(name, butNull: "an integer", &scanner)
            return nil
        }
        let value = scanner.integer(try scanner.scanNumber()).flatMap(Int.init(exactly:))
        if value == nil {
            refuse(ParameterDecoder.mistyped(name, "an integer"))
        }
        return value
    }

    /// Passes a value that is not of the expected type; anything but `null` is refused.
    private mutating func skip(_ name: String, butNull expected: String, _ scanner: inout JSONScanner) throws(JSONError) {
        if try !scanner.sliceValue().isNull {
            refuse(ParameterDecoder.mistyped(name, expected))
        }
    }

    private mutating func note(_ member: Members, _ name: String) {
        if !seen.insert(member).inserted {
            refuse(ProtocolError(.invalidParams, "repeated parameter \"\(name)\""))
        }
    }

    private mutating func refuse(_ error: ProtocolError) {
        failure = failure ?? error
    }
}
