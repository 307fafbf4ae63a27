import Foundation
import JOSE

/// The public half of an audit key: P-256, or RSA of 2048 bits or more.
public struct AuditPublicKey: Sendable {
    /// Whose key it is, where several agents share a token; `nil` where that is not said.
    public let agent: String?
    private let key: PublicKey
    private let verifier: SignatureVerifier

    private static let begin = "-----BEGIN PUBLIC KEY-----"
    private static let end = "-----END PUBLIC KEY-----"

    /// What an audit key can sign with: the first wherever the token can do it.
    static let algorithms: [JWSAlgorithm] = [.es256, .rs256]

    public var kid: String { key.kid }

    /// The keys in a PEM text (RFC 7468 §13), one or more. Of what stands before each, a line `agent: NAME` says whose it is; the rest
    /// is passed over.
    ///
    /// - Throws: `AuditError` for a text without a key, or with one of another kind.
    public static func keys(pem: String) throws(AuditError) -> [AuditPublicKey] {
        do {
            let keys = try pem.components(separatedBy: end).dropLast().map { block in
                guard let start = block.range(of: begin),
                    let bytes = Data(base64Encoded: block[start.upperBound...].filter { !$0.isWhitespace })
                else { throw JOSEError(.subjectPublicKeyInfoInvalid, "this is no PEM of a public key") }
                let agent = block[..<start.lowerBound].split(whereSeparator: \.isNewline).last { $0.hasPrefix("agent: ") }
                return try AuditPublicKey(
                    PublicKey(subjectPublicKeyInfo: Array(bytes)), agent: agent.map { String($0.dropFirst("agent: ".count)) })
            }
            if !keys.isEmpty { return keys }
        } catch {}
        throw AuditError(
            .keyInvalid, "this is no P-256 or RSA public key in PEM", hint: "take the output of \"privyseald audit key\"")
    }

    /// - Throws: `JOSEError` for a key of another kind.
    init(_ key: PublicKey, agent: String? = nil) throws {
        self.key = key
        self.agent = agent
        verifier = try key.verifier(for: Self.algorithms.first { $0.keyType == key.keyType } ?? .es256)
    }

    public var pem: String {
        let text = Data(key.subjectPublicKeyInfo).base64EncodedString(options: [.lineLength64Characters, .endLineWithLineFeed])
        return "\(Self.begin)\n\(text)\n\(Self.end)"
    }

    /// Whether the head is signed with it.
    func hasSigned(_ head: SignedHead) -> Bool {
        guard let signature = try? Base64URL.decode(head.signature) else { return false }
        return verifier.isValid(signature: signature, signingInput: SignedHead.statement(of: head.link))
    }
}
