import Foundation
import JOSE
import Testing

@Suite("published documents")
struct DocumentTests {
    static let rsaText =
        #"{"use":"sig","kty":"RSA","kid":"\#(PublishedVectors.RSA.kid)","alg":"RS256","n":"\#(PublishedVectors.RSA.n)","e":"AQAB"}"#
    static let ecText =
        #"{"use":"sig","kty":"EC","kid":"\#(PublishedVectors.EC.kid)","alg":"ES256","crv":"P-256","x":"\#(PublishedVectors.EC.x)","y":"\#(PublishedVectors.EC.y)"}"#

    @Test("the JWK of an RSA key is this text")
    func rsa() throws {
        #expect(text(try JWK(PublishedVectors.RSA.key(), .rs256).encoded) == Self.rsaText)
    }

    @Test("the JWK of an EC key is this text")
    func ec() throws {
        #expect(text(try JWK(PublishedVectors.EC.key(), .es256).encoded) == Self.ecText)
    }

    static let furtherTexts = FurtherVector.all.map { vector in
        let kty = ["PS256": "RSA", "EdDSA": "OKP"][vector.algorithm.rawValue] ?? "EC"
        return #"{"use":"sig","kty":"\#(kty)","kid":"\#(vector.kid)","alg":"\#(vector.algorithm.rawValue)",\#(vector.members)}"#
    }

    @Test("the JWK of a further key is this text", arguments: zip(FurtherVector.all, furtherTexts))
    func further(vector: FurtherVector, json: String) throws {
        #expect(text(try JWK(vector.key(), vector.algorithm).encoded) == json)
    }

    @Test("a JWK is the same value through Codable", arguments: [rsaText, ecText] + furtherTexts)
    func codable(json: String) throws {
        let jwk = try JSONDecoder().decode(JWK.self, from: Data(json.utf8))
        #expect(text(jwk.encoded) == json)
        #expect(try JSONDecoder().decode(JWK.self, from: JSONEncoder().encode(jwk)) == jwk)
    }

    @Test("an algorithm of another key type has no JWK and no verifier", arguments: JWSAlgorithm.allCases)
    func mismatch(algorithm: JWSAlgorithm) throws {
        let keys = try [PublishedVectors.RSA.key(), PublishedVectors.EC.key()] + FurtherVector.all.map { try $0.key() }
        for key in keys where key.keyType != algorithm.keyType {
            #expect(throws: JOSEError(.algorithmMismatch, "")) { try JWK(key, algorithm) }
            #expect(throws: JOSEError(.algorithmMismatch, "")) { try JWKSet.encode([(key, algorithm)]) }
            #expect(throws: JOSEError(.algorithmMismatch, "")) { try key.verifier(for: algorithm) }
        }
    }

    @Test("a JWK set keeps the order of its keys")
    func keySet() throws {
        let rsa = try PublishedVectors.RSA.key()
        let ec = try PublishedVectors.EC.key()
        #expect(text(try JWKSet.encode([])) == #"{"keys":[]}"#)
        #expect(
            text(try JWKSet.encode([(rsa, .rs256), (ec, .es256)])) == #"{"keys":[\#(Self.rsaText),\#(Self.ecText)]}"#)
        #expect(
            text(try JWKSet.encode([(ec, .es256), (rsa, .rs256)])) == #"{"keys":[\#(Self.ecText),\#(Self.rsaText)]}"#)
    }

    @Test("a discovery document has what Kubernetes serves, its algorithms once and sorted")
    func discovery() {
        let document = DiscoveryDocument(
            issuer: "https://oidc.example.com/tenant/id/", jwksURI: "https://oidc.example.com/tenant/id/openid/v1/jwks",
            algorithms: [.rs256, .es256, .rs256])
        let expected =
            #"{"issuer":"https://oidc.example.com/tenant/id/","jwks_uri":"https://oidc.example.com/tenant/id/openid/v1/jwks","#
            + #""response_types_supported":["id_token"],"subject_types_supported":["public"],"#
            + #""id_token_signing_alg_values_supported":["ES256","RS256"]}"#
        #expect(text(document.encoded) == expected)
    }

    @Test(
        "a string is escaped as JSON demands and no further",
        arguments: [
            (#"a"b"#, #"a\"b"#), (#"a\b"#, #"a\\b"#), ("a/b", "a/b"), ("é🔏", "é🔏"), ("\u{7F}", "\u{7F}"),
            ("\u{8}\t\n\u{C}\r", #"\b\t\n\f\r"#), ("\u{0}\u{1F}", #"\u0000\u001f"#),
        ])
    func escaping(plain: String, escaped: String) throws {
        let json = DiscoveryDocument(issuer: plain, jwksURI: "", algorithms: []).encoded
        #expect(text(json).hasPrefix("{\"issuer\":\"\(escaped)\","))
        let object = try #require(try JSONSerialization.jsonObject(with: Data(json)) as? [String: Any])
        #expect(object["issuer"] as? String == plain)
    }

    @Test("an entity tag is strong, follows the bytes, and is that of openssl's hash")
    func entityTag() {
        // openssl dgst -sha256 of "hello", the first 16 bytes.
        let hash: [UInt8] = [
            0x2C, 0xF2, 0x4D, 0xBA, 0x5F, 0xB0, 0xA3, 0x0E, 0x26, 0xE8, 0x3B, 0x2A, 0xC5, 0xB9, 0xE2, 0x9E,
        ]
        #expect(ETag.strong(of: Array("hello".utf8)) == "\"\(Base64URL.encodeToString(hash))\"")
        #expect(ETag.strong(of: Array("hello".utf8)) != ETag.strong(of: Array("hello ".utf8)))
    }

    private func text(_ bytes: [UInt8]) -> String {
        String(decoding: bytes, as: UTF8.self)
    }
}
