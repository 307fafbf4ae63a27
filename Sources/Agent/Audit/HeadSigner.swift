import JOSE

/// Signs heads of the log, so that who can write to it cannot write another one unnoticed.
protocol HeadSigner: Sendable {
    /// - Returns: a signature over `statement` and the key's kid: R‖S of ECDSA with P-256 and SHA-256, or that of
    ///   RSASSA-PKCS1-v1_5 with SHA-256.
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
