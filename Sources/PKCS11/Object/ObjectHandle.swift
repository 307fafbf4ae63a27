import CCryptoki

/// The module's number for an object (`CK_OBJECT_HANDLE`).
///
/// Good as long as this process is logged in and has a session open with the token; the same object can have another
/// number afterwards.
public struct ObjectHandle: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt

    public init(rawValue: UInt) {
        self.rawValue = rawValue
    }
}

/// What an object is (`CK_OBJECT_CLASS`, `CKO_*`). The set is open.
public struct ObjectClass: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt

    public init(rawValue: UInt) {
        self.rawValue = rawValue
    }

    /// `CKO_DATA`.
    public static let data = ObjectClass(rawValue: CKO_DATA)
    /// `CKO_PUBLIC_KEY`.
    public static let publicKey = ObjectClass(rawValue: CKO_PUBLIC_KEY)
    /// `CKO_PRIVATE_KEY`.
    public static let privateKey = ObjectClass(rawValue: CKO_PRIVATE_KEY)
    /// `CKO_SECRET_KEY`.
    public static let secretKey = ObjectClass(rawValue: CKO_SECRET_KEY)
}

extension ObjectClass: CustomStringConvertible {
    public var description: String {
        switch self {
        case .data: "CKO_DATA"
        case .publicKey: "CKO_PUBLIC_KEY"
        case .privateKey: "CKO_PRIVATE_KEY"
        case .secretKey: "CKO_SECRET_KEY"
        default: "0x" + String(rawValue, radix: 16)
        }
    }
}

/// What kind of key a key is (`CK_KEY_TYPE`, `CKK_*`). The set is open.
public struct KeyType: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt

    public init(rawValue: UInt) {
        self.rawValue = rawValue
    }

    /// `CKK_RSA`.
    public static let rsa = KeyType(rawValue: CKK_RSA)
    /// `CKK_EC`.
    public static let ec = KeyType(rawValue: CKK_EC)
    /// `CKK_EC_EDWARDS` (PKCS#11 v3.0).
    public static let ecEdwards = KeyType(rawValue: CKK_EC_EDWARDS)
    /// `CKK_GENERIC_SECRET`.
    public static let genericSecret = KeyType(rawValue: CKK_GENERIC_SECRET)
}

extension KeyType: CustomStringConvertible {
    public var description: String {
        switch self {
        case .rsa: "CKK_RSA"
        case .ec: "CKK_EC"
        case .ecEdwards: "CKK_EC_EDWARDS"
        default: "0x" + String(rawValue, radix: 16)
        }
    }
}
