public import PKCS11

/// Which token an agent uses, and how much of it.
public struct HSMConfiguration: Sendable {
    /// Path of the PKCS#11 module.
    public var modulePath: String
    /// Which of the module's tokens (RFC 7512).
    public var token: TokenURI
    /// Sessions that sign, a thread each.
    public var sessions: Int
    /// Signatures that may wait; more are answered `BUSY`.
    public var queueLimit: Int
    /// Seconds a signature may wait.
    public var deadlineSeconds: Int

    public init(modulePath: String, token: TokenURI, sessions: Int = 4, queueLimit: Int = 1_024, deadlineSeconds: Int = 10) {
        self.modulePath = modulePath
        self.token = token
        self.sessions = sessions
        self.queueLimit = queueLimit
        self.deadlineSeconds = deadlineSeconds
    }
}

/// Where the PIN comes from.
public struct PINSource: Sendable {
    /// Identifies the state of the source without saying anything of the PIN: it changes when the source does.
    public let identity: String
    /// Reads the PIN.
    public let read: @Sendable () throws -> PIN

    public init(identity: String, read: @escaping @Sendable () throws -> PIN) {
        self.identity = identity
        self.read = read
    }
}
