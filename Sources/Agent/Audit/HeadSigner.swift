import Crypto
import Foundation
import JOSE

/// Signs heads of the log, so that who can write to it cannot write another one unnoticed.
protocol HeadSigner: Sendable {
    /// - Returns: R‖S of an ECDSA signature with P-256 and SHA-256 over `statement`, and the key's kid.
    func sign(_ statement: [UInt8]) async throws -> (signature: [UInt8], kid: String)
}

/// A record, vouched for by the audit key.
struct SignedHead: Hashable, Sendable {
    let link: AuditLink
    let kid: String
    /// base64url.
    let signature: String

    /// What is signed for a record.
    static func statement(of link: AuditLink) -> [UInt8] {
        Array("privyseal audit head\n\(link.seq)\n\(link.hashText)\n".utf8)
    }

    init(link: AuditLink, kid: String, signature: String) {
        self.link = link
        self.kid = kid
        self.signature = signature
    }

    init(of link: AuditLink, signedBy signer: any HeadSigner) async throws {
        let (bytes, kid) = try await signer.sign(Self.statement(of: link))
        self.init(link: link, kid: kid, signature: Base64URL.encodeToString(bytes))
    }
}

/// The public half of an audit key.
public struct AuditPublicKey: Sendable {
    public let kid: String
    private let key: P256.Signing.PublicKey

    /// The keys in a PEM text (RFC 7468 §13), one or more; what stands between them is passed over.
    ///
    /// - Throws: `AuditError` for a text without a key, or with another than a P-256 public key.
    public static func keys(pem: String) throws(AuditError) -> [AuditPublicKey] {
        let end = "-----END PUBLIC KEY-----"
        do {
            let keys = try pem.components(separatedBy: end).dropLast().map { block in
                let begin = block.range(of: "-----BEGIN")?.lowerBound ?? block.startIndex
                let key = try P256.Signing.PublicKey(pemRepresentation: block[begin...] + end)
                return AuditPublicKey(key, kid: try PublicKey(subjectPublicKeyInfo: Array(key.derRepresentation)).kid)
            }
            if !keys.isEmpty { return keys }
        } catch {}
        throw AuditError(.keyInvalid, "this is no P-256 public key in PEM", hint: "take the output of \"privyseald audit key\"")
    }

    private init(_ key: P256.Signing.PublicKey, kid: String) {
        self.key = key
        self.kid = kid
    }

    init(_ key: PublicKey) throws {
        self.key = try P256.Signing.PublicKey(derRepresentation: Data(key.subjectPublicKeyInfo))
        kid = key.kid
    }

    public var pem: String { key.pemRepresentation }

    /// Whether the head is signed with it.
    func hasSigned(_ head: SignedHead) -> Bool {
        guard let bytes = try? Base64URL.decode(head.signature),
            let signature = try? P256.Signing.ECDSASignature(rawRepresentation: Data(bytes))
        else { return false }
        return key.isValidSignature(signature, for: Data(SignedHead.statement(of: head.link)))
    }
}
