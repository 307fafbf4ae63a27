import JOSE
import RelyingParty
import Testing

@Suite("JWT verification")
struct JWTVerifierTests {
    let issuer: SigningIssuer
    let now = SigningIssuer.now

    init() throws {
        issuer = try SigningIssuer()
    }

    @Test("a genuine JWT gives its header, its claims and its payload byte for byte")
    func genuine() async throws {
        let verified = try await issuer.verifier(expectedAudience: "b").verify(issuer.jwt(), now: now)
        #expect(verified.header.alg == "ES256")
        #expect(verified.header.kid == issuer.kid)
        #expect(verified.payload == Array(SigningIssuer.claims.utf8))
        #expect(verified.claims.issuer == SigningIssuer.url)
        #expect(verified.claims.subject == "s")
        #expect(verified.claims.audience == ["a", "b"])
        #expect(verified.claims.expiresAt == now + 3600)
        #expect(verified.claims.notBefore == now)
        #expect(verified.claims.issuedAt == now)
        #expect(!"\(verified)".contains("issuer.example"))
    }

    @Test("an RS256 JWT made by openssl verifies, and not with a bit of its signature changed")
    func openssl() async throws {
        let verifier = try await JWTVerifier(
            keySet: Array(OpenSSLFixture.keySet.utf8), expectedIssuer: SigningIssuer.url, expectedAudience: "a")
        let verified = try verifier.verify(OpenSSLFixture.jwt, now: now)
        #expect(verified.header.alg == "RS256")
        #expect(verified.claims.subject == "s")
        #expect(throws: failure(.signatureInvalid)) {
            try verifier.verify(OpenSSLFixture.jwt.dropLast(2) + "AA", now: now)
        }
    }

    /// Each makes another text of a genuine JWT.
    static let tampered: [(String, VerificationError.Code, @Sendable (SigningIssuer, [Substring]) throws -> String)] = [
        ("nothing", .malformed, { _, _ in "" }),
        ("white space after it", .malformed, { _, parts in parts.joined(separator: ".") + "\n" }),
        ("no signature", .malformed, { _, parts in "\(parts[0]).\(parts[1])." }),
        ("two parts", .malformed, { _, parts in "\(parts[0]).\(parts[1])" }),
        ("a fourth part", .malformed, { _, parts in parts.joined(separator: ".") + ".AQID" }),
        ("padding", .malformed, { _, parts in parts.joined(separator: ".") + "==" }),
        (
            "another text of the same signature bytes", .malformed,
            { _, parts in
                let last = try #require(parts[2].utf8.last)
                return "\(parts[0]).\(parts[1]).\(parts[2].dropLast())" + String(decoding: [last + 1], as: UTF8.self)
            }
        ),
        ("a header that is no JSON", .malformed, { _, parts in "AQID.\(parts[1]).\(parts[2])" }),
        (
            "a header without kid", .malformed,
            { issuer, _ in
                try issuer.jwt(header: Array(#"{"alg":"ES256"}"#.utf8), payload: Array(SigningIssuer.claims.utf8))
            }
        ),
        (
            "a header with a number as kid", .malformed,
            { issuer, _ in
                try issuer.jwt(
                    header: Array(#"{"alg":"ES256","kid":1}"#.utf8), payload: Array(SigningIssuer.claims.utf8))
            }
        ),
        (
            "a header with crit", .malformed,
            { issuer, _ in
                try issuer.jwt(
                    header: Array(#"{"alg":"ES256","kid":"\#(issuer.kid)","crit":["b64"],"b64":false}"#.utf8),
                    payload: Array(SigningIssuer.claims.utf8))
            }
        ),
        (
            "alg none", .algorithmMismatch,
            { issuer, parts in
                let header = Base64URL.encodeToString(Array(#"{"alg":"none","kid":"\#(issuer.kid)"}"#.utf8))
                return "\(header).\(parts[1]).\(parts[2])"
            }
        ),
        (
            "alg HS256", .algorithmMismatch,
            { issuer, _ in
                try issuer.jwt(
                    header: Array(#"{"alg":"HS256","kid":"\#(issuer.kid)"}"#.utf8),
                    payload: Array(SigningIssuer.claims.utf8))
            }
        ),
        (
            "alg RS256", .algorithmMismatch,
            { issuer, _ in
                try issuer.jwt(header: ProtectedHeader(algorithm: .rs256, kid: issuer.kid).json, payload: [])
            }
        ),
        (
            "an unknown kid", .unknownKid,
            { issuer, _ in
                try issuer.jwt(
                    header: ProtectedHeader(algorithm: .es256, kid: "other").json,
                    payload: Array(SigningIssuer.claims.utf8))
            }
        ),
        (
            "a kid of control characters", .unknownKid,
            { issuer, _ in
                try issuer.jwt(
                    header: ProtectedHeader(algorithm: .es256, kid: "\n\u{1B}[2J").json,
                    payload: Array(SigningIssuer.claims.utf8))
            }
        ),
        (
            "an empty kid", .unknownKid,
            { issuer, _ in
                try issuer.jwt(
                    header: ProtectedHeader(algorithm: .es256, kid: "").json, payload: Array(SigningIssuer.claims.utf8))
            }
        ),
        (
            "other claims", .signatureInvalid,
            { _, parts in
                "\(parts[0]).\(Base64URL.encodeToString(Array(SigningIssuer.claims.utf8.dropLast()) + Array(" }".utf8))).\(parts[2])"
            }
        ),
        (
            "an expired forgery", .signatureInvalid,
            { _, parts in
                "\(parts[0]).\(Base64URL.encodeToString(Array(#"{"exp":1}"#.utf8))).\(parts[2])"
            }
        ),
        (
            "another header", .signatureInvalid,
            { issuer, parts in
                let header = Base64URL.encodeToString(Array(#"{"alg":"ES256","kid":"\#(issuer.kid)"}"#.utf8))
                return "\(header).\(parts[1]).\(parts[2])"
            }
        ),
        ("a short signature", .signatureInvalid, { _, parts in "\(parts[0]).\(parts[1]).AQID" }),
        (
            "a signature of zeros", .signatureInvalid,
            { _, parts in
                "\(parts[0]).\(parts[1]).\(Base64URL.encodeToString([UInt8](repeating: 0, count: 64)))"
            }
        ),
        (
            "the signature of another key", .signatureInvalid,
            { issuer, _ in
                let header = ProtectedHeader(algorithm: .es256, kid: issuer.kid).json
                return try SigningIssuer().jwt(header: header, payload: Array(SigningIssuer.claims.utf8))
            }
        ),
    ]

    @Test("a tampered JWT is refused for what was done to it", arguments: tampered)
    func refuses(
        name: String, code: VerificationError.Code, change: @Sendable (SigningIssuer, [Substring]) throws -> String
    ) async throws {
        let jwt = try issuer.jwt()
        let changed = try change(issuer, jwt.split(separator: "."))
        let verifier = try await issuer.verifier()
        #expect(throws: Never.self) { try verifier.verify(jwt, now: now) }
        #expect(throws: failure(code), "\(name)") { try verifier.verify(changed, now: now) }
    }

    @Test(
        "a signed payload that is no ID token's claims is malformed",
        arguments: [
            "", "[]", "1", "{", "{}", #"{"exp":"1"}"#, #"{"exp":null}"#, #"{"exp":1,"aud":[1]}"#, #"{"exp":1,"iss":1}"#,
        ])
    func claims(payload: String) async throws {
        let verifier = try await issuer.verifier(expectedIssuer: nil)
        #expect(throws: failure(.malformed)) { try verifier.verify(issuer.jwt(payload), now: 0) }
    }

    @Test(
        "a JWT is valid from nbf on and until just before exp, each widened by the leeway",
        arguments: [
            (-0.5, 0, VerificationError.Code.notYetValid), (0, 0, nil), (3599.5, 0, nil), (3600, 0, .expired),
            (-60, 60, nil), (-60.5, 60, .notYetValid), (3659.5, 60, nil), (3660, 60, .expired),
        ] as [(Double, Double, VerificationError.Code?)])
    func times(offset: Double, leeway: Double, code: VerificationError.Code?) async throws {
        let verifier = try await issuer.verifier(leeway: leeway)
        let jwt = try issuer.jwt()
        if let code {
            #expect(throws: failure(code)) { try verifier.verify(jwt, now: now + offset) }
        } else {
            #expect(throws: Never.self) { try verifier.verify(jwt, now: now + offset) }
        }
    }

    @Test("an exp beyond every calendar neither traps nor expires, one before does")
    func extremeTimes() async throws {
        let verifier = try await issuer.verifier(expectedIssuer: nil)
        #expect(throws: Never.self) { try verifier.verify(issuer.jwt(#"{"exp":1e300}"#), now: now) }
        #expect(throws: failure(.expired)) { try verifier.verify(issuer.jwt(#"{"exp":-1e300}"#), now: now) }
        #expect(throws: failure(.notYetValid)) {
            try verifier.verify(issuer.jwt(#"{"exp":1e300,"nbf":1e299}"#), now: now)
        }
    }

    @Test(
        "iss must be the expected issuer character by character",
        arguments: ["https://issuer.example/t/u", "https://issuer.example/t/u/?", "HTTPS://issuer.example/t/u/", ""])
    func issuerMismatch(expected: String) async throws {
        let verifier = try await issuer.verifier(expectedIssuer: expected)
        #expect(throws: failure(.issuerMismatch)) { try verifier.verify(issuer.jwt(), now: now) }
    }

    @Test("what Swift calls equal is another issuer, and another audience, when its bytes are others")
    func equivalentCharacters() async throws {
        // U+212A, the Kelvin sign.
        let jwt = try issuer.jwt(#"{"exp":2000003600,"iss":"https://\u212aeys.example","aud":"\u212aeys"}"#)
        let withIssuer = try await issuer.verifier(expectedIssuer: "https://Keys.example")
        #expect(throws: failure(.issuerMismatch)) { try withIssuer.verify(jwt, now: now) }
        let withAudience = try await issuer.verifier(expectedIssuer: nil, expectedAudience: "Keys")
        #expect(throws: failure(.audienceMismatch)) { try withAudience.verify(jwt, now: now) }
    }

    @Test("a JWT without iss has not the expected issuer, and one without aud not the expected audience")
    func absent() async throws {
        let jwt = try issuer.jwt(#"{"exp":2000003600}"#)
        let any = try await issuer.verifier(expectedIssuer: nil)
        #expect(throws: Never.self) { try any.verify(jwt, now: now) }
        let withIssuer = try await issuer.verifier()
        #expect(throws: failure(.issuerMismatch)) { try withIssuer.verify(jwt, now: now) }
        let withAudience = try await issuer.verifier(expectedIssuer: nil, expectedAudience: "a")
        #expect(throws: failure(.audienceMismatch)) { try withAudience.verify(jwt, now: now) }
    }

    @Test(
        "aud is a string or a list, and must hold the expected audience",
        arguments: [(#""a""#, true), (#"["b","a"]"#, true), (#""b""#, false), ("[]", false), (#""A""#, false)])
    func audience(aud: String, accepted: Bool) async throws {
        let verifier = try await issuer.verifier(expectedIssuer: nil, expectedAudience: "a")
        let jwt = try issuer.jwt(#"{"exp":2000003600,"aud":\#(aud)}"#)
        if accepted {
            #expect(throws: Never.self) { try verifier.verify(jwt, now: now) }
        } else {
            #expect(throws: failure(.audienceMismatch)) { try verifier.verify(jwt, now: now) }
        }
    }

    @Test("every failure says in one line each what happened and what to do, without the JWT")
    func texts() async throws {
        let jwt = try issuer.jwt()
        let verifier = try await issuer.verifier()
        for (_, _, change) in Self.tampered {
            let changed = try change(issuer, jwt.split(separator: "."))
            let error = try #require(throws: VerificationError.self) { try verifier.verify(changed, now: now) }
            for text in [error.message, error.hint, "\(error)"] {
                #expect(!text.isEmpty && !text.contains { $0.isNewline || $0 == "\u{1B}" })
                #expect(changed.isEmpty || !text.contains(changed))
            }
        }
    }
}
