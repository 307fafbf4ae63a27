import JOSE
import RelyingParty
import Testing

@Suite("key sets")
struct KeySetTests {
    @Test(
        "what is no key set is refused when the verifier is made",
        arguments: ["", "{}", "[]", #"{"keys":{}}"#, #"{"keys":null}"#, #"{"keys":[]"#])
    func refuses(text: String) async {
        await #expect(throws: failure(.keySetInvalid)) { try await JWTVerifier(keySet: Array(text.utf8)) }
    }

    @Test("two keys with one kid are refused")
    func duplicate() async throws {
        let key = try SigningIssuer().publicKey
        let keySet = try JWKSet.encode([(key, .es256), (key, .es256)])
        await #expect(throws: failure(.keySetInvalid)) { try await JWTVerifier(keySet: keySet) }
    }

    /// Members of a key set beside the one that signs (RFC 7517 §5: ignore what is not understood).
    static let foreign = [
        "1", "null", "{}", #"{"kty":"oct","kid":"x","alg":"HS256","k":"AAAA"}"#,
        #"{"kty":"new","kid":"x","alg":"ES256"}"#,
        #"{"kty":"RSA","kid":"x","alg":"RS256"}"#, #"{"kty":"RSA","kid":"x","alg":"RS256","n":5,"e":"AQAB"}"#,
        #"{"kty":"EC","kid":"x","alg":"ES256","crv":"P-256","x":"AA","y":"AA"}"#,
        #"{"kty":"OKP","kid":"x","alg":"EdDSA","crv":"X25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
        #"{"kty":"OKP","kid":"x","alg":"ES256","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
        #"{"kty":"EC","kid":"x","alg":"ES256","crv":"P-384","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","#
            + #""y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#,
        #"{"kty":"EC","kid":"x","alg":"ES256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","#
            + #""y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#,
    ]

    @Test("a key that is not understood is passed over, and the others still verify", arguments: foreign)
    func passesOver(member: String) async throws {
        let issuer = try SigningIssuer()
        let own = try String(decoding: JWK(issuer.publicKey, .es256).encoded, as: UTF8.self)
        let verifier = try await JWTVerifier(keySet: Array(#"{"keys":[\#(member),\#(own)]}"#.utf8))
        #expect(throws: Never.self) { try verifier.verify(issuer.jwt(), now: SigningIssuer.now) }
        let other = try issuer.jwt(header: ProtectedHeader(algorithm: .es256, kid: "x").json, payload: Array("{}".utf8))
        #expect(throws: failure(.unknownKid)) { try verifier.verify(other, now: SigningIssuer.now) }
    }

    /// A member of the set, and what of it is why no JWT can be verified with it.
    static let reasons: [(member: String, why: String)] = [
        (#"{"kty":"EC","kid":"x","use":"enc"}"#, "its use is \"enc\", not signatures"),
        (#"{"kty":"EC","kid":"x","use":5}"#, "its use is which is no text, not signatures"),
        (#"{"kty":"RSA","kid":"x","key_ops":["encrypt"]}"#, "its key_ops do not hold \"verify\""),
        (#"{"kty":"oct","kid":"x","k":"AAAA"}"#, "its type, \"oct\", is not known here"),
        (#"{"kid":"x"}"#, "its type, which is no text, is not known here"),
        (#"{"kty":"\u001b[2J","kid":"x"}"#, #"its type, "\u{1B}[2J", is not known here"#),
        (#"{"kty":"EC","kid":"x","crv":"secp256k1"}"#, "its curve, \"secp256k1\", is not known here"),
        (#"{"kty":"OKP","kid":"x","crv":"X25519"}"#, "its curve, \"X25519\", is none for signatures known here"),
        (#"{"kty":"RSA","kid":"x","alg":"RS512"}"#, "its algorithm, \"RS512\", is not known here"),
        (#"{"kty":"RSA","kid":"x","alg":"none"}"#, "its algorithm, \"none\", is not known here"),
        (#"{"kty":"RSA","kid":"x","alg":"HS256"}"#, "its algorithm, \"HS256\", is not known here"),
        (#"{"kty":"EC","kid":"x","alg":"ES256","crv":"P-384"}"#, "its algorithm is ES256, which is not for keys of P-384"),
        (#"{"kty":"RSA","kid":"x","alg":"ES256"}"#, "its algorithm is ES256, which is not for keys of RSA"),
        (#"{"kty":"RSA","kid":"x"}"#, "its members n and e cannot be read"),
        (#"{"kty":"RSA","kid":"x","n":"AQAB","e":"AQAB"}"#, "its numbers are refused: "),
        (#"{"kty":"EC","kid":"x","crv":"P-256","x":"AA","y":"AA"}"#, "its members are no public key of that type"),
        (#"{"kty":"EC","kid":"x","crv":"P-256"}"#, "its members are no public key of that type"),
    ]

    @Test("a JWT by a key that was passed over is refused, and the refusal says why it was", arguments: reasons)
    func passedOver(member: String, why: String) async throws {
        let issuer = try SigningIssuer()
        let verifier = try await JWTVerifier(keySet: Array(#"{"keys":[\#(member)]}"#.utf8))
        let jwt = try issuer.jwt(header: ProtectedHeader(algorithm: .es256, kid: "x").json, payload: Array("{}".utf8))
        let error = #expect(throws: failure(.unknownKid)) { try verifier.verify(jwt, now: SigningIssuer.now) }
        let message = try #require(error?.message)
        #expect(message.hasPrefix("the published key with the JWT's kid \"x\" cannot be used: \(why)"), "\(message)")
    }

    @Test("a key without kid verifies nothing, and is named by no JWT")
    func withoutKid() async throws {
        let issuer = try SigningIssuer()
        let own = try String(decoding: JWK(issuer.publicKey, .es256).encoded, as: UTF8.self)
        let changed = own.replacing(#""kid":"\#(issuer.kid)","#, with: "")
        #expect(changed != own)
        let verifier = try await JWTVerifier(keySet: Array(#"{"keys":[\#(changed)]}"#.utf8))
        #expect(throws: failure(.unknownKid)) { try verifier.verify(issuer.jwt(), now: SigningIssuer.now) }
    }

    @Test("a rotated-out key verifies while it is published, and no more when it is gone")
    func rotation() async throws {
        let old = try SigningIssuer()
        let new = try SigningIssuer()
        let jwt = try old.jwt()
        let both = try await JWTVerifier(keySet: JWKSet.encode([(new.publicKey, .es256), (old.publicKey, .es256)]))
        #expect(try both.verify(jwt, now: SigningIssuer.now).header.kid == old.kid)
        let one = try await JWTVerifier(keySet: JWKSet.encode([(new.publicKey, .es256)]))
        #expect(throws: failure(.unknownKid)) { try one.verify(jwt, now: SigningIssuer.now) }
    }
}
