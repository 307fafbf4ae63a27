/// What a token says about how it keeps a private key and what it lets be done with it.
///
/// Each is nil when the token does not know the attribute. PKCS#11 v2.40 base §4.7 and §4.9.
public struct CustodyAttributes: Hashable, Sendable {
    /// `CKA_SENSITIVE`: the key cannot be read in plain text.
    public var sensitive: Bool?
    /// `CKA_EXTRACTABLE`: the key can be read or wrapped.
    public var extractable: Bool?
    /// `CKA_ALWAYS_SENSITIVE`: it never was not sensitive.
    public var alwaysSensitive: Bool?
    /// `CKA_NEVER_EXTRACTABLE`: it never was extractable.
    public var neverExtractable: Bool?
    /// `CKA_LOCAL`: it was generated on the token.
    public var local: Bool?
    /// `CKA_SIGN`.
    public var sign: Bool?
    /// `CKA_SIGN_RECOVER`.
    public var signRecover: Bool?
    /// `CKA_DECRYPT`.
    public var decrypt: Bool?
    /// `CKA_UNWRAP`.
    public var unwrap: Bool?
    /// `CKA_DERIVE`.
    public var derive: Bool?

    public init(
        sensitive: Bool? = nil, extractable: Bool? = nil, alwaysSensitive: Bool? = nil, neverExtractable: Bool? = nil,
        local: Bool? = nil, sign: Bool? = nil, signRecover: Bool? = nil, decrypt: Bool? = nil, unwrap: Bool? = nil,
        derive: Bool? = nil
    ) {
        self.sensitive = sensitive
        self.extractable = extractable
        self.alwaysSensitive = alwaysSensitive
        self.neverExtractable = neverExtractable
        self.local = local
        self.sign = sign
        self.signRecover = signRecover
        self.decrypt = decrypt
        self.unwrap = unwrap
        self.derive = derive
    }
}

extension Session {
    /// Reads back how the token keeps a private key.
    ///
    /// What to refuse is the caller's decision; a token that ignores a template shows it here.
    public func custody(of privateKey: ObjectHandle) throws(PKCS11Error) -> CustodyAttributes {
        CustodyAttributes(
            sensitive: try bool(.sensitive, of: privateKey),
            extractable: try bool(.extractable, of: privateKey),
            alwaysSensitive: try bool(.alwaysSensitive, of: privateKey),
            neverExtractable: try bool(.neverExtractable, of: privateKey),
            local: try bool(.local, of: privateKey),
            sign: try bool(.sign, of: privateKey),
            signRecover: try bool(.signRecover, of: privateKey),
            decrypt: try bool(.decrypt, of: privateKey),
            unwrap: try bool(.unwrap, of: privateKey),
            derive: try bool(.derive, of: privateKey))
    }
}
