import JOSE
import KeyLifecycle

@testable import Agent

/// A key with a signature of its own, for what is done with one and needs no token.
struct SampleKey: Sendable {
    let reference: KeyReference
    /// By the key over ``signingInput``, in JWS's form.
    let signature: [UInt8]

    static let signingInput = Array("PrivySeal".utf8)

    /// An RSA key of 2,048 bits.
    static func rs256() throws -> SampleKey { try SampleKey(.rs256, publicKey: rsaKey, signature: rsaSignature) }

    static func es256() throws -> SampleKey { try SampleKey(.es256, publicKey: p256Key, signature: p256Signature) }

    private init(_ algorithm: SignatureAlgorithm, publicKey: String, signature: String) throws {
        let publicKey = try Base64URL.decode(publicKey)
        self.signature = try Base64URL.decode(signature)
        reference = try Self.reference(
            to: GeneratedKey(
                keyID: try required(KeyID(Array(0..<16))), kid: PublicKey(subjectPublicKeyInfo: publicKey).kid,
                specification: KeySpecification(algorithm, rsaBits: 2_048), publicKey: publicKey))
    }

    static func reference(to key: GeneratedKey) throws -> KeyReference {
        try KeyReference(
            SigningKey(
                kid: key.kid, keyID: key.keyID, algorithm: key.algorithm, publicKey: key.publicKey, state: .active,
                publishedAt: SampleIssuer.createdAt, knownFrom: SampleIssuer.createdAt, activatedAt: SampleIssuer.createdAt))
    }

    // SubjectPublicKeyInfo and a signature, base64url.

    private static let rsaKey = """
        MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEApsYCrUkEONRClUAkhpR4Qi-LUztJlsWiBYPw_pQ8mewfLhHQ_nYATjwrW2Xb5XHvpx\
        zcyhkPCJOzGjz2caD8tfIh0XnpgPjgaBA3_DgMmbA3xKAC03K98UHxMNZAVA1ifye0VAnXOApjEdU4icWekz_JXlvQtEtYzWQyVRD_Xt84VHdF\
        yImMm9Vs7TYfeAJ2TitIeKynARfghD-3vOHGniN9fjLbyAmLVHAzgv9Urbk9tMxEBDcp4_DrkW4y7jzQAq2yI0FR132OR4qe9jjTmXKhSRNGOI\
        AWxahOHqPp50iLOFhKbJIuZQ-CoxYhX9IXLxl9zFEfiy4KzMGTCj72cQIDAQAB
        """

    private static let rsaSignature = """
        PItdlmqrsqdHSS2NwOKHuCgMvlz52m0Q7g1N21aAquTvhX76j4wEu459fdNh3ExrIZMB5cvAdEJYzHNkgs9OFvO59usduN_8tQo2YKUP_1GbXV\
        r-sm4R7tRgbDjOPtU-75ROohPFLBD2CLsmm4p2GJTqNBRisMSgWF0mN1kP9HVDfU_CooHePYuyWQyHkXyjdmyt8F36huVQCYo3yIrZRDsb5CIh\
        0tyvQtG6PifsF8v2sGGbkhd-tkLap8ze0MesnJYvXK9AD-ZfpYCqGgbAzoKhfgjhLpB9cgvK7mR0LzbXUbVG1Xeu5YZplMx4Ec9346mQ-oF1yo\
        hea3eYDytxXA
        """

    private static let p256Key = """
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEUEq_7aWrUWEHK5mI2SFyNEKf3S7cNmMStJdgowjQM8_pH89fMRa58ASMxoA9l1N9W05qps-jK6\
        eH9siqVKdlXg
        """

    private static let p256Signature = """
        rASs4Hg_o0Ud5U-MyJv5cDiG9QVGS4-hhH1pa8JkzKDBdoULxhS33hD31D9YckBsllT2eCawisHXpbh2yb3njg
        """
}
