import Crypto
import JOSE
import RelyingParty

/// An issuer with one P-256 key in memory, for tests of those who verify.
struct SigningIssuer: Sendable {
    static let url = "https://issuer.example/t/u/"
    /// The moment the JWTs below are issued, in seconds since 1970.
    static let now: Double = 2_000_000_000
    static let claims =
        #"{"iss":"https://issuer.example/t/u/","sub":"s","aud":["a","b"],"iat":2000000000,"nbf":2000000000,"exp":2000003600}"#

    let privateKey = P256.Signing.PrivateKey()
    let publicKey: PublicKey

    init() throws {
        publicKey = try PublicKey(ecPoint: Array(privateKey.publicKey.x963Representation), on: .p256)
    }

    var kid: String { publicKey.kid }

    func keySet() throws -> [UInt8] {
        try JWKSet.encode([(publicKey, .es256)])
    }

    /// A JWT as the product makes it.
    func jwt(_ claims: String = claims) throws -> String {
        try jwt(header: ProtectedHeader(algorithm: .es256, kid: kid).json, payload: Array(claims.utf8))
    }

    /// A JWT with any header and payload, the signature genuine.
    func jwt(header: [UInt8], payload: [UInt8]) throws -> String {
        var text = Base64URL.encode(header) + [UInt8(ascii: ".")] + Base64URL.encode(payload)
        let signature = try privateKey.signature(for: text)
        text += [UInt8(ascii: ".")] + Base64URL.encode(Array(signature.rawRepresentation))
        return String(decoding: text, as: UTF8.self)
    }

    func verifier(
        expectedIssuer: String? = url, expectedAudience: String? = nil, leeway: Double = 0
    ) async throws -> JWTVerifier {
        try await JWTVerifier(
            keySet: keySet(), expectedIssuer: expectedIssuer, expectedAudience: expectedAudience, leeway: leeway)
    }
}

/// An error to compare with, since only codes are compared.
func failure(_ code: VerificationError.Code) -> VerificationError {
    VerificationError(code, "", hint: "")
}
