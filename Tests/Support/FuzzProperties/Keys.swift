import Crypto
import JOSE
import PKCS11

extension FuzzTarget {
    static let publicKey = FuzzTarget("public-key", "the DER of a SubjectPublicKeyInfo", longestInput: 1_200) {
        bytes throws(Violation) in
        guard let key = try? PublicKey(subjectPublicKeyInfo: bytes) else { return }
        try require(key.subjectPublicKeyInfo == bytes, "two encodings of one key were taken")
        try require(key.kid.utf8.count == 43, "the kid is no SHA-256")
        let algorithm: JWSAlgorithm
        let again: PublicKey?
        switch key.parameters {
        case .rsa(let modulus, let exponent):
            algorithm = .rs256
            again = try? PublicKey(rsaModulus: [0] + modulus, exponent: [0, 0] + exponent)
            try require(modulus.count >= 256, "a short RSA key was taken")
        case .ec(let curve, let x, let y):
            algorithm = curve == .p256 ? .es256 : curve == .p384 ? .es384 : .es512
            again = try? PublicKey(ecPoint: [0x04] + x + y, on: curve)
            // Another reader of DER.
            if curve == .p256 {
                let other = try? P256.Signing.PublicKey(derRepresentation: bytes)
                try require(other?.x963Representation.elementsEqual([0x04] + x + y) == true, "swift-crypto reads another point")
            }
        case .ed25519(let raw):
            algorithm = .edDSA
            again = try? PublicKey(ed25519: raw)
        }
        try require(again == key, "the key is another when it is made from its numbers")
        guard let jwk = try? JWK(key, algorithm), let read = PlainJSON.read(jwk.encoded) else {
            throw Violation("the key has no JWK")
        }
        try require(read.hasUniqueNames && read["kid"]?.text == Array(key.kid.utf8), "the JWK has another kid")
        guard let verifier = try? key.verifier(for: algorithm) else { throw Violation("the key cannot verify") }
        try require(!verifier.isValid(signature: bytes, signingInput: bytes), "any signature is valid")
    }

    /// The first byte says what of a token's answers the others are.
    static let tokenKey = FuzzTarget("token-key", "public keys and signatures as a token gives them", longestInput: 300) {
        input throws(Violation) in
        guard let kind = input.first else { return }
        let bytes = Array(input.dropFirst())
        let curves = [EllipticCurve.p256, .p384, .p521]
        let curve = curves[Int(kind) % 3]
        switch kind / 3 % 4 {
        case 0: try check(point: bytes, on: curve)
        case 1: try check(signature: bytes, on: curve)
        case 2:
            guard let point = try? Edwards25519.point(fromAttribute: bytes) else { return }
            try require(
                [point, [0x04, 0x20] + point, [0x03, 0x21, 0x00] + point].contains(bytes), "a point is not that given")
        default:
            let known = EllipticCurve(parameters: bytes)
            try require(known == nil || known?.parameters == bytes, "a curve has other parameters")
            let spelling = Edwards25519(parameters: bytes)
            try require(spelling == nil || spelling?.parameters == bytes, "Ed25519 has other parameters")
        }
    }

    private static func check(point attribute: [UInt8], on curve: EllipticCurve) throws(Violation) {
        guard let point = try? curve.point(fromAttribute: attribute) else { return }
        try require(point.count == 1 + 2 * curve.coordinateLength && point.first == 0x04, "a point has another form")
        let length = point.count < 128 ? [UInt8(point.count)] : [0x81, UInt8(point.count)]
        try require([point, [0x04] + length + point].contains(attribute), "a point is not that given")
        guard let joseCurve = Curve(rawValue: curve.name) else { throw Violation("\(curve.name) has no JWK") }
        guard let key = try? PublicKey(ecPoint: point, on: joseCurve) else { return }
        try require(
            (try? PublicKey(subjectPublicKeyInfo: key.subjectPublicKeyInfo)) == key, "the key is another when it is read again")
    }

    private static func check(signature: [UInt8], on curve: EllipticCurve) throws(Violation) {
        guard let fixed = try? curve.fixedWidthSignature(signature) else { return }
        let length = curve.coordinateLength
        try require(fixed.count == 2 * length, "a signature has another width")
        let half = signature.count / 2
        for (given, taken) in [(signature[..<half], fixed[..<length]), (signature[half...], fixed[length...])] {
            try require(given.drop { $0 == 0 } == taken.drop { $0 == 0 }, "half of a signature is another number")
        }
    }
}
