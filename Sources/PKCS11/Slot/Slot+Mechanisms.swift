import CCryptoki

extension Slot {
    /// The mechanisms the token has (`C_GetMechanismList`).
    public func mechanisms() throws(PKCS11Error) -> [MechanismType] {
        let types = try module.list("C_GetMechanismList", of: CK_MECHANISM_TYPE.self) { functions, buffer, count in
            unsafe functions.pointee.C_GetMechanismList!(id, buffer, count)
        }
        return types.map(MechanismType.init(rawValue:))
    }

    /// What the token can do with a mechanism (`C_GetMechanismInfo`).
    ///
    /// Throws ``PKCS11Error`` with `mechanismInvalid` for one the token does not have.
    public func mechanismInfo(_ type: MechanismType) throws(PKCS11Error) -> MechanismInfo {
        var info = CK_MECHANISM_INFO()
        try module.functions.call("C_GetMechanismInfo") {
            unsafe $0.pointee.C_GetMechanismInfo!(id, type.rawValue, &info)
        }
        return MechanismInfo(info)
    }
}

/// What a token can do with a mechanism (`CK_MECHANISM_INFO`, PKCS#11 v2.40 base §3.6).
public struct MechanismInfo: Hashable, Sendable {
    /// The smallest key; in bits for RSA and elliptic curves.
    public let minimumKeySize: UInt
    /// The largest key, in the same unit.
    public let maximumKeySize: UInt
    public let flags: Flags

    init(_ info: CK_MECHANISM_INFO) {
        minimumKeySize = UInt(info.ulMinKeySize)
        maximumKeySize = UInt(info.ulMaxKeySize)
        flags = Flags(rawValue: UInt(info.flags))
    }

    /// The functions a mechanism can be used with (`CKF_*`).
    public struct Flags: OptionSet, Hashable, Sendable {
        public let rawValue: UInt

        public init(rawValue: UInt) {
            self.rawValue = rawValue
        }

        /// `CKF_HW`: done by the device, not by the module's software.
        public static let hardware = Flags(rawValue: CKF_HW)
        /// `CKF_SIGN`.
        public static let sign = Flags(rawValue: CKF_SIGN)
        /// `CKF_VERIFY`.
        public static let verify = Flags(rawValue: CKF_VERIFY)
        /// `CKF_GENERATE`.
        public static let generate = Flags(rawValue: CKF_GENERATE)
        /// `CKF_GENERATE_KEY_PAIR`.
        public static let generateKeyPair = Flags(rawValue: CKF_GENERATE_KEY_PAIR)
    }
}
