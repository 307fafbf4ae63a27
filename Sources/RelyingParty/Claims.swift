/// The registered claims a relying party decides by (RFC 7519 §4.1).
public struct Claims: Sendable, Equatable {
    /// `iss`.
    public let issuer: String?
    /// `sub`.
    public let subject: String?
    /// `aud`, also when it was a single string; empty when absent.
    public let audience: [String]
    /// `exp`, in seconds since 1970 and perhaps a fraction (NumericDate, RFC 7519 §2).
    public let expiresAt: Double
    /// `nbf`, as `exp`.
    public let notBefore: Double?
    /// `iat`, as `exp`.
    public let issuedAt: Double?
}

extension Claims: Decodable {
    private enum CodingKeys: String, CodingKey {
        case iss, sub, aud, exp, nbf, iat
    }

    /// Reads the claims set; `exp` must be there, an ID token without it is none (OpenID Connect Core 1.0 §2).
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        issuer = try container.decodeIfPresent(String.self, forKey: .iss)
        subject = try container.decodeIfPresent(String.self, forKey: .sub)
        if let single = try? container.decodeIfPresent(String.self, forKey: .aud) {
            audience = [single]
        } else {
            audience = try container.decodeIfPresent([String].self, forKey: .aud) ?? []
        }
        expiresAt = try container.decode(Double.self, forKey: .exp)
        notBefore = try container.decodeIfPresent(Double.self, forKey: .nbf)
        issuedAt = try container.decodeIfPresent(Double.self, forKey: .iat)
    }
}
