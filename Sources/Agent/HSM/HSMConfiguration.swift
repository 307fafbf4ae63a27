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
    /// Seconds a call into the module may take, key generation aside, before its thread is given up.
    public var callLimitSeconds: Double
    /// Seconds a generation or destruction of a key may take.
    public var changeLimitSeconds: Double
    /// Seconds to which the pause grows between initialisations of the module that do not help for long. The first is one
    /// second; a token that is out of reach is looked for every two seconds at most, whatever this is.
    public var initialisationIntervalSeconds: Double
    /// How the token has to hold a key.
    public var custody: CustodyRules
    /// Whether the PIN may be sent although the token says that one more wrong one locks it: its source has been corrected
    /// since a refusal.
    var mayUseLastTry = false
    /// Whether other agents change the store too, and destroy keys of this token.
    var isStoreShared = false
    /// What was last found out of a token on this machine: whether destroying a key stops who has used it.
    public var fenceTest: FenceTestResult?

    public init(
        modulePath: String, token: TokenURI, sessions: Int = 4, queueLimit: Int = 1_024, deadlineSeconds: Int = 10,
        callLimitSeconds: Double = 10, changeLimitSeconds: Double = 120, initialisationIntervalSeconds: Double = 30,
        custody: CustodyRules = .strict
    ) {
        self.modulePath = modulePath
        self.token = token
        self.sessions = sessions
        self.queueLimit = queueLimit
        self.deadlineSeconds = deadlineSeconds
        self.callLimitSeconds = callLimitSeconds
        self.changeLimitSeconds = changeLimitSeconds
        self.initialisationIntervalSeconds = initialisationIntervalSeconds
        self.custody = custody
    }
}

/// Where the PIN comes from.
public struct PINSource: Sendable {
    /// Identifies the state of the source without saying anything of the PIN: it changes when the source does.
    public let identity: @Sendable () throws -> String
    /// Reads the PIN.
    public let read: @Sendable () throws -> PIN
    /// What to do about a PIN that was refused, in one line.
    public let correction: String

    public init(
        identity: @escaping @Sendable () throws -> String,
        correction: String = "correct the PIN in its source; the agent tries again once that has changed",
        read: @escaping @Sendable () throws -> PIN
    ) {
        self.identity = identity
        self.correction = correction
        self.read = read
    }
}
