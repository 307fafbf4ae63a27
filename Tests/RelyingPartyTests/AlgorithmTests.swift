import Crypto
import CryptoExtras
import JOSE
import RelyingParty
import Testing

@Suite("signature algorithms")
struct AlgorithmTests {
    /// A fresh private key, and how it signs.
    struct Signer: Sendable {
        let publicKey: PublicKey
        let sign: @Sendable ([UInt8]) throws -> [UInt8]

        init(_ algorithm: JWSAlgorithm) throws {
            switch algorithm {
            case .rs256, .ps256:
                let key = try _RSA.Signing.PrivateKey(keySize: .bits2048)
                let numbers = try key.publicKey.getKeyPrimitives()
                publicKey = try PublicKey(rsaModulus: Array(numbers.modulus), exponent: Array(numbers.publicExponent))
                let padding: _RSA.Signing.Padding = algorithm == .ps256 ? .PSS : .insecurePKCS1v1_5
                sign = { try Array(key.signature(for: SHA256.hash(data: $0), padding: padding).rawRepresentation) }
            case .es256:
                let key = P256.Signing.PrivateKey()
                publicKey = try PublicKey(ecPoint: Array(key.publicKey.x963Representation), on: .p256)
                sign = { try Array(key.signature(for: $0).rawRepresentation) }
            case .es384:
                let key = P384.Signing.PrivateKey()
                publicKey = try PublicKey(ecPoint: Array(key.publicKey.x963Representation), on: .p384)
                sign = { try Array(key.signature(for: $0).rawRepresentation) }
            case .es512:
                let key = P521.Signing.PrivateKey()
                publicKey = try PublicKey(ecPoint: Array(key.publicKey.x963Representation), on: .p521)
                sign = { try Array(key.signature(for: $0).rawRepresentation) }
            case .edDSA:
                let key = Curve25519.Signing.PrivateKey()
                publicKey = try PublicKey(ed25519: Array(key.publicKey.rawRepresentation))
                sign = { try Array(key.signature(for: $0)) }
            }
        }

        func keySetWithoutAlg(_ algorithm: JWSAlgorithm) throws -> [UInt8] {
            let whole = String(decoding: try JWKSet.encode([(publicKey, algorithm)]), as: UTF8.self)
            let text = whole.replacing(#","alg":"\#(algorithm.rawValue)""#, with: "")
            #expect(text != whole)
            return Array(text.utf8)
        }

        func jwt(_ algorithm: JWSAlgorithm) throws -> String {
            let header = ProtectedHeader(algorithm: algorithm, kid: publicKey.kid)
            var text = CompactJWS.signingInput(header, payload: Array(SigningIssuer.claims.utf8))
            text += [UInt8(ascii: ".")] + Base64URL.encode(try sign(text))
            return String(decoding: text, as: UTF8.self)
        }
    }

    @Test("a JWT of each algorithm verifies by its key in the set, and altered it does not", arguments: JWSAlgorithm.allCases)
    func verifies(algorithm: JWSAlgorithm) async throws {
        let signer = try Signer(algorithm)
        let verifier = try await JWTVerifier(keySet: JWKSet.encode([(signer.publicKey, algorithm)]))
        let jwt = try signer.jwt(algorithm)
        #expect(try verifier.verify(jwt, now: SigningIssuer.now).header.alg == algorithm.rawValue)
        let position = jwt.index(jwt.endIndex, offsetBy: -20)
        let altered = jwt.replacingCharacters(at: position, with: jwt[position] == "A" ? "B" : "A")
        #expect(throws: failure(.signatureInvalid)) { try verifier.verify(altered, now: SigningIssuer.now) }
    }

    @Test("a key whose alg the set leaves out verifies what its type can have signed", arguments: JWSAlgorithm.allCases)
    func withoutAlg(algorithm: JWSAlgorithm) async throws {
        let signer = try Signer(algorithm)
        let verifier = try await JWTVerifier(keySet: signer.keySetWithoutAlg(algorithm))
        let jwt = try signer.jwt(algorithm)
        #expect(try verifier.verify(jwt, now: SigningIssuer.now).header.alg == algorithm.rawValue)
        // What an attacker makes of the public key: a secret, or nothing at all.
        for alg in ["HS256", "none", "RS512", "ES512", "PS384", ""] where alg != algorithm.rawValue {
            let header = Base64URL.encodeToString(Array(#"{"alg":"\#(alg)","kid":"\#(signer.publicKey.kid)"}"#.utf8))
            let forged = header + jwt.drop { $0 != "." }
            #expect(throws: failure(.algorithmMismatch), "\(alg)") { try verifier.verify(forged, now: SigningIssuer.now) }
        }
    }

    @Test("an RSA key without alg serves both paddings, and a signature by one is none by the other")
    func bothPaddings() async throws {
        let signer = try Signer(.rs256)
        let verifier = try await JWTVerifier(keySet: signer.keySetWithoutAlg(.rs256))
        let claiming = try signer.jwt(.ps256)
        #expect(throws: failure(.signatureInvalid)) { try verifier.verify(claiming, now: SigningIssuer.now) }
        #expect(try verifier.verify(signer.jwt(.rs256), now: SigningIssuer.now).header.alg == "RS256")
    }

    @Test("a key set as Entra ID publishes it, with certificates, issuers and no alg, verifies")
    func entra() async throws {
        let signer = try Signer(.rs256)
        let own = try String(decoding: signer.keySetWithoutAlg(.rs256), as: UTF8.self)
        let more = own.replacing(
            #""use":"sig","#,
            with:
                #""use":"sig","x5t":"1LTMzakihiRla_8z2BEJVXeWMqo","x5c":["MIIC/TCCAeWgAwIBAgIIXB4oOCpcB9MwDQYJKoZIhvcNAQELBQAw"],"#
                + #""cloud_instance_name":"microsoftonline.com","issuer":"https://login.microsoftonline.com/{tenantid}/v2.0","#)
        #expect(more != own)
        let verifier = try await JWTVerifier(keySet: Array(more.utf8))
        #expect(try verifier.verify(signer.jwt(.rs256), now: SigningIssuer.now).header.alg == "RS256")
    }

    @Test("a key serves the one algorithm it is published for, also where another has keys of its type")
    func otherPadding() async throws {
        let signer = try Signer(.rs256)
        let verifier = try await JWTVerifier(keySet: JWKSet.encode([(signer.publicKey, .ps256)]))
        let jwt = try signer.jwt(.rs256)
        #expect(throws: failure(.algorithmMismatch)) { try verifier.verify(jwt, now: SigningIssuer.now) }
        let claimingPS256 = try signer.jwt(.ps256)
        #expect(throws: failure(.signatureInvalid)) { try verifier.verify(claimingPS256, now: SigningIssuer.now) }
    }
}

extension String {
    fileprivate func replacingCharacters(at position: Index, with character: Character) -> String {
        var text = self
        text.replaceSubrange(position...position, with: [character])
        return text
    }
}
