import CCryptoki

/// The name of a property of an object (`CK_ATTRIBUTE_TYPE`, `CKA_*`). The set is open.
public struct AttributeType: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt

    public init(rawValue: UInt) {
        self.rawValue = rawValue
    }

    /// `CKA_CLASS`.
    public static let `class` = AttributeType(rawValue: CKA_CLASS)
    /// `CKA_TOKEN`: kept on the token, not only for the session.
    public static let token = AttributeType(rawValue: CKA_TOKEN)
    /// `CKA_PRIVATE`: seen after login only.
    public static let `private` = AttributeType(rawValue: CKA_PRIVATE)
    /// `CKA_LABEL`.
    public static let label = AttributeType(rawValue: CKA_LABEL)
    /// `CKA_APPLICATION`: of a data object, what it is about.
    public static let application = AttributeType(rawValue: CKA_APPLICATION)
    /// `CKA_VALUE`, to be given and never to be asked for.
    static let value = AttributeType(rawValue: CKA_VALUE)
    /// `CKA_VALUE_LEN`: of a secret key, in bytes.
    public static let valueLength = AttributeType(rawValue: CKA_VALUE_LEN)
    /// `CKA_ID`.
    public static let id = AttributeType(rawValue: CKA_ID)
    /// `CKA_KEY_TYPE`.
    public static let keyType = AttributeType(rawValue: CKA_KEY_TYPE)
    /// `CKA_SENSITIVE`.
    public static let sensitive = AttributeType(rawValue: CKA_SENSITIVE)
    /// `CKA_EXTRACTABLE`.
    public static let extractable = AttributeType(rawValue: CKA_EXTRACTABLE)
    /// `CKA_ALWAYS_SENSITIVE`.
    public static let alwaysSensitive = AttributeType(rawValue: CKA_ALWAYS_SENSITIVE)
    /// `CKA_NEVER_EXTRACTABLE`.
    public static let neverExtractable = AttributeType(rawValue: CKA_NEVER_EXTRACTABLE)
    /// `CKA_LOCAL`: generated on the token.
    public static let local = AttributeType(rawValue: CKA_LOCAL)
    /// `CKA_ENCRYPT`.
    public static let encrypt = AttributeType(rawValue: CKA_ENCRYPT)
    /// `CKA_DECRYPT`.
    public static let decrypt = AttributeType(rawValue: CKA_DECRYPT)
    /// `CKA_WRAP`.
    public static let wrap = AttributeType(rawValue: CKA_WRAP)
    /// `CKA_UNWRAP`.
    public static let unwrap = AttributeType(rawValue: CKA_UNWRAP)
    /// `CKA_SIGN`.
    public static let sign = AttributeType(rawValue: CKA_SIGN)
    /// `CKA_SIGN_RECOVER`.
    public static let signRecover = AttributeType(rawValue: CKA_SIGN_RECOVER)
    /// `CKA_VERIFY`.
    public static let verify = AttributeType(rawValue: CKA_VERIFY)
    /// `CKA_VERIFY_RECOVER`.
    public static let verifyRecover = AttributeType(rawValue: CKA_VERIFY_RECOVER)
    /// `CKA_DERIVE`.
    public static let derive = AttributeType(rawValue: CKA_DERIVE)
    /// `CKA_MODULUS`.
    public static let modulus = AttributeType(rawValue: CKA_MODULUS)
    /// `CKA_MODULUS_BITS`.
    public static let modulusBits = AttributeType(rawValue: CKA_MODULUS_BITS)
    /// `CKA_PUBLIC_EXPONENT`.
    public static let publicExponent = AttributeType(rawValue: CKA_PUBLIC_EXPONENT)
    /// `CKA_EC_PARAMS`.
    public static let ecParameters = AttributeType(rawValue: CKA_EC_PARAMS)
    /// `CKA_EC_POINT`.
    public static let ecPoint = AttributeType(rawValue: CKA_EC_POINT)

    /// The attributes that hold a private or secret key. No code here reads them, whatever the token would allow.
    static let privateValues: Set<AttributeType> = [
        .value,
        AttributeType(rawValue: CKA_PRIVATE_EXPONENT),
        AttributeType(rawValue: CKA_PRIME_1),
        AttributeType(rawValue: CKA_PRIME_2),
        AttributeType(rawValue: CKA_EXPONENT_1),
        AttributeType(rawValue: CKA_EXPONENT_2),
        AttributeType(rawValue: CKA_COEFFICIENT),
    ]
}

extension AttributeType: CustomStringConvertible {
    /// The name of an attribute that is named here, the number in hexadecimal for any other.
    public var description: String {
        Self.names[self] ?? "0x" + String(rawValue, radix: 16)
    }

    private static let names: [AttributeType: String] = [
        .class: "CKA_CLASS",
        .token: "CKA_TOKEN",
        .private: "CKA_PRIVATE",
        .label: "CKA_LABEL",
        .application: "CKA_APPLICATION",
        .value: "CKA_VALUE",
        .valueLength: "CKA_VALUE_LEN",
        .id: "CKA_ID",
        .keyType: "CKA_KEY_TYPE",
        .sensitive: "CKA_SENSITIVE",
        .extractable: "CKA_EXTRACTABLE",
        .alwaysSensitive: "CKA_ALWAYS_SENSITIVE",
        .neverExtractable: "CKA_NEVER_EXTRACTABLE",
        .local: "CKA_LOCAL",
        .encrypt: "CKA_ENCRYPT",
        .decrypt: "CKA_DECRYPT",
        .wrap: "CKA_WRAP",
        .unwrap: "CKA_UNWRAP",
        .sign: "CKA_SIGN",
        .signRecover: "CKA_SIGN_RECOVER",
        .verify: "CKA_VERIFY",
        .verifyRecover: "CKA_VERIFY_RECOVER",
        .derive: "CKA_DERIVE",
        .modulus: "CKA_MODULUS",
        .modulusBits: "CKA_MODULUS_BITS",
        .publicExponent: "CKA_PUBLIC_EXPONENT",
        .ecParameters: "CKA_EC_PARAMS",
        .ecPoint: "CKA_EC_POINT",
    ]
}
