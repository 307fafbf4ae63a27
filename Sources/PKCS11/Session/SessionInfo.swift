import CCryptoki

/// What a module says about a session (`CK_SESSION_INFO`, PKCS#11 v2.40 base §3.3).
public struct SessionInfo: Hashable, Sendable {
    /// The slot the session was opened on.
    public let slotID: UInt
    public let state: SessionState
    /// A code of the device's own for its last error; zero usually.
    public let deviceError: UInt

    init(_ info: CK_SESSION_INFO) {
        slotID = UInt(info.slotID)
        state = SessionState(rawValue: UInt(info.state))
        deviceError = UInt(info.ulDeviceError)
    }
}

/// Who is logged in and what the session may write (`CK_STATE`, `CKS_*`). The set is open.
public struct SessionState: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt

    public init(rawValue: UInt) {
        self.rawValue = rawValue
    }

    /// `CKS_RO_PUBLIC_SESSION`: nobody is logged in.
    public static let readOnlyPublic = SessionState(rawValue: CKS_RO_PUBLIC_SESSION)
    /// `CKS_RO_USER_FUNCTIONS`.
    public static let readOnlyUser = SessionState(rawValue: CKS_RO_USER_FUNCTIONS)
    /// `CKS_RW_PUBLIC_SESSION`: nobody is logged in.
    public static let readWritePublic = SessionState(rawValue: CKS_RW_PUBLIC_SESSION)
    /// `CKS_RW_USER_FUNCTIONS`.
    public static let readWriteUser = SessionState(rawValue: CKS_RW_USER_FUNCTIONS)
    /// `CKS_RW_SO_FUNCTIONS`.
    public static let readWriteSecurityOfficer = SessionState(rawValue: CKS_RW_SO_FUNCTIONS)

    /// Whether the user is logged in, and private keys are there to be used.
    public var isUserLoggedIn: Bool {
        self == .readOnlyUser || self == .readWriteUser
    }
}

extension SessionState: CustomStringConvertible {
    public var description: String {
        switch self {
        case .readOnlyPublic: "CKS_RO_PUBLIC_SESSION"
        case .readOnlyUser: "CKS_RO_USER_FUNCTIONS"
        case .readWritePublic: "CKS_RW_PUBLIC_SESSION"
        case .readWriteUser: "CKS_RW_USER_FUNCTIONS"
        case .readWriteSecurityOfficer: "CKS_RW_SO_FUNCTIONS"
        default: "0x" + String(rawValue, radix: 16)
        }
    }
}
