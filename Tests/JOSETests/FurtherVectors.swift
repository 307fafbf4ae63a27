import JOSE

/// What RFC 7515 A.2 and A.3 do not cover: keys and signatures of RFC 7515 A.4 and RFC 8037 A, and two made with `openssl`.
/// SubjectPublicKeyInfo and kid are always `openssl pkey -pubin -outform DER` and `openssl dgst -sha256 -binary` of it.
struct FurtherVector: Sendable {
    let algorithm: JWSAlgorithm
    let subjectPublicKeyInfo: [UInt8]
    let kid: String
    /// The members of the JWK after `alg`.
    let members: String
    let signingInput: String
    let signature: String

    func key() throws -> PublicKey { try PublicKey(subjectPublicKeyInfo: subjectPublicKeyInfo) }

    static let all = [ps256, es384, es512, edDSA]

    /// `openssl genrsa 2048`, then `openssl dgst -sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32 -sign`.
    static let ps256 = FurtherVector(
        algorithm: .ps256,
        subjectPublicKeyInfo: PublishedVectors.base64(
            "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAp/dniBsJr1GbygYHXWxhap3qoGLOMrhglDeSjo3Kk57POaTXniWiE+2za+Bas7cv"
                + "dlyXnmatxnSQnopD685sroEMiDhjJzOHGygbZ4DapvI8R3kFIEaEOxQ+41JvhJt7Aw7TEPSh6usb2SThd9ToqePXJgoX9X0jRZhGie3a4Okq"
                + "SRZN7p98JWB7L+kqGm4IUm18IwMZ3yjMR1fNN2oJHsP/zlT9XmFh9wBI9ipvNn699piAZI6OyBDOJ/EH2C1gbcvRdK5sUVbii9ZeTt8cZDTa"
                + "DH5c+XketD97UfDa4L59RNqOFgfJWeO0Lh5hX+EYmafuepVJYrLzD13jodoR0QIDAQAB"),
        kid: "oozQVpUKqlNlNfFa04it-u-IY5y_DfoiSTwKipJD_40",
        members: #""n":"\#(modulus)","e":"AQAB""#,
        signingInput: "eyJhbGciOiJQUzI1NiJ9.eyJpc3MiOiJqb2UifQ",
        signature:
            "S_PO_J_12xDcdhuoc2j08f3B3ihmYL1U2PXynXF-WZOBjgL0tqLNr6EaLy0z6lHCbxnb4Nnquxz_Ya2dlaW_f2OLUHOjitHhYltgukQjWEeV"
            + "n81aDVscavc1zkUcI3-M529vdPQysaGgj891LhnARbO_Qz-nzbo74NHmhsaAbnRnUmAQ1_nHduw5G4Gk4nSLY9qRrCnTV-PJaD7ZHYt-m0vL"
            + "S6G3JS9-4yZ8bLmMlPhLtfRga8FaA81-mrRuV6MjhYftzcVEqxjN7xJ2C1vIQl7WQS_zWS7nRQLW4kqGx9m-ACUGEbpZiYrB-NW82yG-AyLs"
            + "WljhJbeI2PCoes-QXg")

    private static let modulus =
        "p_dniBsJr1GbygYHXWxhap3qoGLOMrhglDeSjo3Kk57POaTXniWiE-2za-Bas7cvdlyXnmatxnSQnopD685sroEMiDhjJzOHGygbZ4DapvI8"
        + "R3kFIEaEOxQ-41JvhJt7Aw7TEPSh6usb2SThd9ToqePXJgoX9X0jRZhGie3a4OkqSRZN7p98JWB7L-kqGm4IUm18IwMZ3yjMR1fNN2oJHsP_"
        + "zlT9XmFh9wBI9ipvNn699piAZI6OyBDOJ_EH2C1gbcvRdK5sUVbii9ZeTt8cZDTaDH5c-XketD97UfDa4L59RNqOFgfJWeO0Lh5hX-EYmafu"
        + "epVJYrLzD13jodoR0Q"

    /// The same with a salt of 20 bytes, which JWS does not allow (RFC 7518 §3.5).
    static let shortSalt =
        "RHQ3OaFaOxR0sNjzyKk8te_nLS9IekSaGcF5bz_3VLcAbB-B9iPuU07iTI5xQJB9DXO-rnbvTwO_xtw6bTv2VayrCZm-7jptS_UYSsLJWmUR"
        + "CdVW5UXIc97FFde6j20ry6YIg4Kf6r5hCVqFOaHQ7tWLT6VVzLqX7bhvrWGQ2BcQ-Aae1amzu1o0UlDuHil2dACJk-OBHEMQifRWE1EJomMR"
        + "Qwiazh3syIfLUV-Noo10kSKA-WB9K2Pv93-xqqOL6VIyEBuWrz66LPOY8OiQ1jrQtKMHIZS3u29zvtsemC3ZZcifFZhXkAgyJJogF2VNwZxL"
        + "7q0ykTAi4P4OMkWYLQ"

    /// `openssl ecparam -name secp384r1 -genkey`, then `openssl dgst -sha384 -sign`, the DER of it as R‖S.
    static let es384 = FurtherVector(
        algorithm: .es384,
        subjectPublicKeyInfo: PublishedVectors.base64(
            "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEmvyu9/ZtTci9Xu+c/KE8d8xmZXIsIchSdt4Qq1bPpAMm2YlrNRd4NK7ryasHNpmM/UmwtL9hyG1b"
                + "+qrjDxTEYwSD0pGbLtH75ohSAkHxuqS/+jrY2VBN2PNAq3Y1WU/M"),
        kid: "sVKhn9iZjq33ABjNmSKtWuSq0ky4tC6Op5b3gABqPwM",
        members:
            #""crv":"P-384","x":"mvyu9_ZtTci9Xu-c_KE8d8xmZXIsIchSdt4Qq1bPpAMm2YlrNRd4NK7ryasHNpmM","#
            + #""y":"_UmwtL9hyG1b-qrjDxTEYwSD0pGbLtH75ohSAkHxuqS_-jrY2VBN2PNAq3Y1WU_M""#,
        signingInput: "eyJhbGciOiJFUzM4NCJ9.eyJpc3MiOiJqb2UifQ",
        signature:
            "xzykDj9mZWDh-FtZWKB2nZWl_S-Iond2ahH39yAg-Kpdskn5sWpvG9OyC974EToJkEzfUhHSbp-1_XtYTPjSVCcbxsSJg1C3EZK7PVRMT0g2"
            + "oFpfhVWZEopk31apT0zV")

    /// RFC 7515 A.4.
    static let es512 = FurtherVector(
        algorithm: .es512,
        subjectPublicKeyInfo: PublishedVectors.base64(
            "MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQB6SkFDxJPxrxVx9U5M2Xfne9KsMIssleY+TTrBOPGuuNwGlenkQ6dgb82MVno68sVXWNJ9L22"
                + "zPipTFxZx6rBAaQANKZEDjdnUNI3H9G9wsjztx0vTuXqNDLIFcyjFWD+XZOH7HdLVYOGMOXLv1qMvgqR3QBkxpmaH25uZ/rd7eTIyPY="),
        kid: "kUbOc9ar7aXgq2km572bVj8vIli0iNUgU0oLhLpYcd8",
        members:
            #""crv":"P-521","x":"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk","#
            + #""y":"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2""#,
        signingInput: "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA",
        signature:
            "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2Y"
            + "BJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn")

    /// RFC 8037 A.2 and A.4.
    static let edDSA = FurtherVector(
        algorithm: .edDSA,
        subjectPublicKeyInfo: PublishedVectors.base64("MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="),
        kid: "BuP9j9opu2CrWVV95h7bCuzbIxE0vjDnW0Vfjht5L6k",
        members: #""crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#,
        signingInput: "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
        signature: "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg")
}
