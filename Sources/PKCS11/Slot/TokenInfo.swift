import CCryptoki

/// What a token says about itself (`CK_TOKEN_INFO`, PKCS#11 v2.40 base §3.2).
public struct TokenInfo: Hashable, Sendable {
    public let label: String
    public let manufacturerID: String
    public let model: String
    public let serialNumber: String
    public let flags: Flags

    /// How many sessions this process may have open at once.
    public let maximumSessions: Limit
    /// How many of them may be read/write.
    public let maximumReadWriteSessions: Limit
    /// How many sessions this process has open now; nil when the token does not say.
    public let openSessions: UInt?
    /// How many of them are read/write; nil when the token does not say.
    public let openReadWriteSessions: UInt?

    /// Bytes left for public objects; nil when the token does not say.
    public let freePublicMemory: UInt?
    /// Bytes left for private objects; nil when the token does not say.
    public let freePrivateMemory: UInt?

    /// The lengths a PIN may have, in bytes; nil when the token reports no sensible pair.
    public let pinLengths: ClosedRange<UInt>?

    public let hardwareVersion: Version
    public let firmwareVersion: Version

    init(_ info: CK_TOKEN_INFO) {
        label = paddedText(info.label)
        manufacturerID = paddedText(info.manufacturerID)
        model = paddedText(info.model)
        serialNumber = paddedText(info.serialNumber)
        flags = Flags(rawValue: UInt(info.flags))
        maximumSessions = Limit(info.ulMaxSessionCount)
        maximumReadWriteSessions = Limit(info.ulMaxRwSessionCount)
        openSessions = available(info.ulSessionCount)
        openReadWriteSessions = available(info.ulRwSessionCount)
        freePublicMemory = available(info.ulFreePublicMemory)
        freePrivateMemory = available(info.ulFreePrivateMemory)
        let (shortest, longest) = (UInt(info.ulMinPinLen), UInt(info.ulMaxPinLen))
        pinLengths = longest > 0 && shortest <= longest ? shortest...longest : nil
        hardwareVersion = Version(info.hardwareVersion)
        firmwareVersion = Version(info.firmwareVersion)
    }
}

/// The number, unless it is the one that says that it is not known.
private func available(_ number: CK_ULONG) -> UInt? {
    number == privyseal_CK_UNAVAILABLE_INFORMATION ? nil : UInt(number)
}

extension TokenInfo {
    /// How many sessions a token allows.
    public enum Limit: Hashable, Sendable {
        /// The token does not say (`CK_UNAVAILABLE_INFORMATION`).
        case unknown
        /// No limit worth counting to (`CK_EFFECTIVELY_INFINITE`).
        case unlimited
        /// At most this many.
        case limited(UInt)

        init(_ number: CK_ULONG) {
            switch number {
            case privyseal_CK_UNAVAILABLE_INFORMATION: self = .unknown
            case CK_ULONG(CK_EFFECTIVELY_INFINITE): self = .unlimited
            default: self = .limited(UInt(number))
            }
        }
    }

    /// The state of a token and what it can do (`CKF_*`).
    public struct Flags: OptionSet, Hashable, Sendable {
        public let rawValue: UInt

        public init(rawValue: UInt) {
            self.rawValue = rawValue
        }

        /// `CKF_RNG`.
        public static let randomNumberGenerator = Flags(rawValue: CKF_RNG)
        /// `CKF_WRITE_PROTECTED`: no object can be made, changed or destroyed.
        public static let writeProtected = Flags(rawValue: CKF_WRITE_PROTECTED)
        /// `CKF_LOGIN_REQUIRED`.
        public static let loginRequired = Flags(rawValue: CKF_LOGIN_REQUIRED)
        /// `CKF_USER_PIN_INITIALIZED`.
        public static let userPINInitialized = Flags(rawValue: CKF_USER_PIN_INITIALIZED)
        /// `CKF_PROTECTED_AUTHENTICATION_PATH`: the PIN is entered at the device.
        public static let protectedAuthenticationPath = Flags(rawValue: CKF_PROTECTED_AUTHENTICATION_PATH)
        /// `CKF_TOKEN_INITIALIZED`.
        public static let tokenInitialized = Flags(rawValue: CKF_TOKEN_INITIALIZED)
        /// `CKF_USER_PIN_COUNT_LOW`: a wrong user PIN was given since the last right one.
        public static let userPINCountLow = Flags(rawValue: CKF_USER_PIN_COUNT_LOW)
        /// `CKF_USER_PIN_FINAL_TRY`: one more wrong user PIN locks it.
        public static let userPINFinalTry = Flags(rawValue: CKF_USER_PIN_FINAL_TRY)
        /// `CKF_USER_PIN_LOCKED`.
        public static let userPINLocked = Flags(rawValue: CKF_USER_PIN_LOCKED)
        /// `CKF_USER_PIN_TO_BE_CHANGED`.
        public static let userPINToBeChanged = Flags(rawValue: CKF_USER_PIN_TO_BE_CHANGED)
        /// `CKF_SO_PIN_COUNT_LOW`.
        public static let securityOfficerPINCountLow = Flags(rawValue: CKF_SO_PIN_COUNT_LOW)
        /// `CKF_SO_PIN_FINAL_TRY`.
        public static let securityOfficerPINFinalTry = Flags(rawValue: CKF_SO_PIN_FINAL_TRY)
        /// `CKF_SO_PIN_LOCKED`.
        public static let securityOfficerPINLocked = Flags(rawValue: CKF_SO_PIN_LOCKED)
    }
}
