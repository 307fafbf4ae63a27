import AgentClient
import AgentProtocol
import Crypto
import Foundation
import PKCS11
import Testing

/// A published key as the token shows it, put into documents here and not by the code under test.
private struct TokenKey {
    let material: PublicKeyMaterial
    let algorithm: String

    /// SubjectPublicKeyInfo in DER (RFC 5280 §4.1.2.7).
    var subjectPublicKeyInfo: [UInt8] {
        switch material {
        case .rsa(let modulus, let exponent):
            let key = Self.sequence(Self.integer(modulus) + Self.integer(exponent))
            let rsaEncryption: [UInt8] = [0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01, 0x05, 0x00]
            return Self.sequence(Self.sequence(rsaEncryption) + Self.tagged(0x03, [0x00] + key))
        case .ec(let curve, let point):
            let ecPublicKey: [UInt8] = [0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01]
            return Self.sequence(Self.sequence(ecPublicKey + curve.parameters) + Self.tagged(0x03, [0x00] + point))
        case .ed25519(let bytes):
            return Self.sequence(Self.sequence([0x06, 0x03, 0x2B, 0x65, 0x70]) + Self.tagged(0x03, [0x00] + bytes))
        }
    }

    var kid: String { Self.base64URL(Array(SHA256.hash(data: subjectPublicKeyInfo))) }

    var jwk: String {
        switch material {
        case .rsa(let modulus, let exponent):
            #"{"use":"sig","kty":"RSA","kid":"\#(kid)","alg":"\#(algorithm)","n":"\#(Self.base64URL(modulus))","#
                + #""e":"\#(Self.base64URL(exponent))"}"#
        case .ec(let curve, let point):
            #"{"use":"sig","kty":"EC","kid":"\#(kid)","alg":"\#(algorithm)","crv":"\#(curve.name)","#
                + #""x":"\#(Self.base64URL(Array(point.dropFirst().prefix(curve.coordinateLength))))","#
                + #""y":"\#(Self.base64URL(Array(point.suffix(curve.coordinateLength))))"}"#
        case .ed25519(let bytes):
            #"{"use":"sig","kty":"OKP","kid":"\#(kid)","alg":"\#(algorithm)","crv":"Ed25519","x":"\#(Self.base64URL(bytes))"}"#
        }
    }

    static func base64URL(_ bytes: [UInt8]) -> String {
        Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    private static func sequence(_ content: [UInt8]) -> [UInt8] { tagged(0x30, content) }

    private static func integer(_ magnitude: [UInt8]) -> [UInt8] {
        tagged(0x02, (magnitude[0] & 0x80 == 0 ? [] : [0x00]) + magnitude)
    }

    private static func tagged(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
        let count = content.count
        let length: [UInt8] =
            switch count {
            case ..<0x80: [UInt8(count)]
            case ..<0x100: [0x81, UInt8(count)]
            default: [0x82, UInt8(count >> 8), UInt8(count & 0xFF)]
            }
        return [tag] + length + content
    }
}

@Suite("The public documents, byte for byte")
struct DocumentTests {
    @Test(
        "kids, JWKS and discovery are those of the keys on the token, active first, then retiring, then standby",
        arguments: [
            ("ES256", "RS256"), ("RS256", "ES256"), ("RS256", "PS256"), ("PS256", "ES384"), ("ES384", "ES512"),
            ("ES512", "EdDSA"), ("EdDSA", "RS256"),
        ])
    func documents(algorithm: String, other: String) async throws {
        try await AgentFixture.with { agent, client in
            let url = try await client.create(algorithm: algorithm).issuer
            await agent.settle()
            try await client.rotate()
            // The next standby is of the other algorithm, so both are published.
            _ = try await client.call(IssuerUpdateParameters(issuer: "demo", settings: .init(algorithm: other)))
            await agent.settle()

            var keys: [TokenKey] = []
            for (state, algorithm) in [("active", algorithm), ("retiring", algorithm), ("standby", other)] {
                let shown = try #require(try await client.key(state))
                let keyID = try #require(shown.custody?.keyID)
                let key = TokenKey(material: try agent.publicKeyOnToken(keyID), algorithm: algorithm)
                #expect(shown.kid == key.kid)
                #expect(shown.algorithm == key.algorithm)
                #expect(shown.publicJWK == (try JSONValue(parsing: Array(key.jwk.utf8))))
                keys.append(key)
            }
            let jwks = #"{"keys":[\#(keys.map(\.jwk).joined(separator: ","))]}"#
            let algorithms = [algorithm, other].sorted().map { "\"\($0)\"" }.joined(separator: ",")
            let discovery =
                #"{"issuer":"\#(url)","jwks_uri":"\#(url)openid/v1/jwks","response_types_supported":["id_token"],"#
                + #""subject_types_supported":["public"],"id_token_signing_alg_values_supported":[\#(algorithms)]}"#
            let result = try await client.discovery()
            let version = try #require(result.urls.first?.versions.first)
            #expect(result.jwks.body == jwks)
            #expect(version.jwks.body == jwks)
            #expect(version.discovery.body == discovery)
            #expect(result.urls.first?.discoveryUri == url + ".well-known/openid-configuration")
            #expect(result.urls.first?.jwksUri == url + "openid/v1/jwks")
            #expect(result.urls.first?.maxAgeSeconds == 30)
            #expect(version.jwks.etag != version.discovery.etag)
            #expect(try await client.discovery() == result)
        }
    }

    @Test("the entity tag of a document changes with its keys")
    func entityTags() async throws {
        try await AgentFixture.with { agent, client in
            try await client.create()
            await agent.settle()
            let before = try await client.discovery().jwks
            try await client.rotate()
            let after = try await client.discovery().jwks
            #expect(before.body != after.body)
            #expect(before.etag != after.etag)
            #expect(after.etag.hasPrefix("\"") && after.etag.hasSuffix("\""))
        }
    }
}

extension AgentFixture {
    /// The public key with this `CKA_ID`, read from the token by the test.
    fileprivate func publicKeyOnToken(_ keyID: String) throws -> PublicKeyMaterial {
        try onToken { session in
            try session.publicKey(of: session.findKey(.publicKey, id: bytes(ofHexadecimal: keyID)))
        }
    }
}
