import Testing

/// What the token does wrong, and what the agent does about it: a row for each return value of the table in `ARCHITECTURE.md`, and some for what
/// rows have in common.
struct TokenFault: Sendable, CustomTestStringConvertible {
    /// Who may be refused, and how.
    enum Harm: Sendable, Equatable {
        /// No request fails.
        case none
        /// Requests of both issuers fail, with this reason and no other, but for those that had waited before.
        case everybody(String, waiting: String? = nil)
        /// Requests of the ES256 issuer fail so; those of the RS256 issuer go on.
        case ec(String)
        /// Some requests fail so; nobody has to.
        case some(String)
    }

    /// How the agent brings the token back.
    enum Cure: Sendable, Equatable {
        /// Without initialising the module.
        case sessions
        /// By initialising the module anew.
        case initialisation
    }

    let name: String
    /// The rules of the faulty module while the fault lasts.
    let rules: [String]
    let harm: Harm
    let cure: Cure
    /// What health shows meanwhile, a part of it; `nil` where the fault is over before anybody looks.
    let health: String?

    var testDescription: String { name }

    /// Whether some of it ends by a deadline only: calls that do not return, and sessions that are not to be had.
    var isEndedByTime: Bool { rules.contains { $0.contains(" hold ") || $0.contains("CKR_SESSION_COUNT") } }

    init(_ name: String, _ rules: String..., harm: Harm, cure: Cure = .sessions, health: String?) {
        self.name = name
        self.rules = rules
        self.harm = harm
        self.cure = cure
        self.health = health
    }

    private static let down = Harm.everybody("HSM_UNAVAILABLE")

    static let table: [TokenFault] = once + sessions + [lost] + devices + memory + requests

    /// What is over after one call costs no request.
    private static let once: [TokenFault] = [
        "CKR_SESSION_HANDLE_INVALID", "CKR_SESSION_CLOSED", "CKR_OBJECT_HANDLE_INVALID", "CKR_KEY_HANDLE_INVALID",
        "CKR_USER_NOT_LOGGED_IN", "CKR_DEVICE_ERROR", "CKR_GENERAL_ERROR", "CKR_FUNCTION_FAILED", "CKR_OPERATION_ACTIVE",
        "CKR_OPERATION_NOT_INITIALIZED", "CKR_HOST_MEMORY", "CKR_DEVICE_MEMORY", "CKR_BUFFER_TOO_SMALL", "0x80000abc",
    ].map { (value: String) in TokenFault("\(value), once", "C_Sign return=\(value) count=1", harm: .none, health: nil) }

    private static let sessions: [TokenFault] = [
        TokenFault(
            "every session is lost, and the login with them", "C_Sign invalidate-sessions count=1", harm: .none, health: nil),
        TokenFault("every object has another handle", "C_SignInit invalidate-objects count=1", harm: .none, health: nil),
        TokenFault("the token logs out", "C_SignInit logout count=1", harm: .none, health: nil),
        TokenFault(
            "CKR_SESSION_HANDLE_INVALID", "C_Sign return=CKR_SESSION_HANDLE_INVALID", harm: down, cure: .initialisation,
            health: "CKR_SESSION_HANDLE_INVALID"),
        TokenFault(
            "CKR_SESSION_CLOSED", "C_SignInit return=CKR_SESSION_CLOSED", harm: down, cure: .initialisation,
            health: "CKR_SESSION_CLOSED"),
        TokenFault(
            "CKR_USER_NOT_LOGGED_IN", "C_Sign return=CKR_USER_NOT_LOGGED_IN", harm: down, cure: .initialisation,
            health: "CKR_USER_NOT_LOGGED_IN"),
        TokenFault(
            "CKR_OPERATION_ACTIVE", "C_SignInit return=CKR_OPERATION_ACTIVE", harm: down, cure: .initialisation,
            health: "CKR_OPERATION_ACTIVE"),
        TokenFault(
            "CKR_OPERATION_NOT_INITIALIZED", "C_Sign return=CKR_OPERATION_NOT_INITIALIZED", harm: down, cure: .initialisation,
            health: "CKR_OPERATION_NOT_INITIALIZED"),
        TokenFault(
            "CKR_USER_ALREADY_LOGGED_IN, and somebody is", "C_Login return-after=CKR_USER_ALREADY_LOGGED_IN",
            "C_Sign invalidate-sessions count=1", harm: .none, health: nil),
        TokenFault(
            "CKR_USER_ALREADY_LOGGED_IN, and nobody is", "C_Login return=CKR_USER_ALREADY_LOGGED_IN",
            "C_Sign invalidate-sessions count=1", harm: down, cure: .initialisation, health: "CKR_USER_ALREADY_LOGGED_IN"),
        TokenFault(
            "no session is left", "C_OpenSession return=CKR_SESSION_COUNT", "C_SignInit return=CKR_GENERAL_ERROR count=3",
            harm: .everybody("BUSY", waiting: "DEADLINE_EXCEEDED"), health: "CKR_SESSION_COUNT"),
    ]

    /// Every session is lost and none is to be had again: what the module still counts is got back by initialising it.
    private static let lost = TokenFault(
        "every session is lost, and the token has none left", "C_OpenSession return=CKR_SESSION_COUNT",
        "C_Sign invalidate-sessions count=1", harm: .some("HSM_UNAVAILABLE"), cure: .initialisation, health: "CKR_SESSION_COUNT")

    private static let devices: [TokenFault] =
        [
            "CKR_DEVICE_REMOVED", "CKR_TOKEN_NOT_PRESENT", "CKR_TOKEN_NOT_RECOGNIZED", "CKR_SLOT_ID_INVALID",
            "CKR_DEVICE_ERROR", "CKR_CRYPTOKI_NOT_INITIALIZED", "CKR_GENERAL_ERROR", "0x80000abc",
        ].map { (value: String) in
            TokenFault(value, "C_Sign return=\(value)", harm: down, cure: .initialisation, health: value)
        } + [
            TokenFault(
                "the token is taken out", "* absent", "C_Sign return=CKR_DEVICE_REMOVED", harm: down, cure: .initialisation,
                health: "the token"),
            TokenFault(
                "the token is blank", "* blank", "C_Sign invalidate-sessions count=1", harm: down,
                cure: .initialisation, health: "shows none of the keys"),
            TokenFault(
                "the token is another one of an HA group", "* serial=42", "C_Sign return=CKR_DEVICE_ERROR until=C_Initialize",
                harm: .some("HSM_UNAVAILABLE"), cure: .initialisation, health: nil),
            TokenFault(
                "the module cannot be initialised", "C_Initialize return=CKR_DEVICE_ERROR", "C_Sign return=CKR_DEVICE_REMOVED",
                harm: down, cure: .initialisation, health: "CKR_"),
        ]

    private static let memory: [TokenFault] = [
        TokenFault(
            "CKR_FUNCTION_FAILED", "C_Sign return=CKR_FUNCTION_FAILED", harm: down, health: "CKR_FUNCTION_FAILED"),
        TokenFault(
            "CKR_HOST_MEMORY", "C_Sign return=CKR_HOST_MEMORY", harm: .everybody("BUSY"), health: "CKR_HOST_MEMORY"),
        TokenFault(
            "CKR_DEVICE_MEMORY", "C_Sign return=CKR_DEVICE_MEMORY", harm: .everybody("BUSY"), health: "CKR_DEVICE_MEMORY"),
    ]

    /// What concerns one kind of key stops no other.
    private static let requests: [TokenFault] =
        [
            "CKR_KEY_TYPE_INCONSISTENT", "CKR_KEY_FUNCTION_NOT_PERMITTED", "CKR_DATA_LEN_RANGE", "CKR_DATA_INVALID",
            "CKR_ARGUMENTS_BAD", "CKR_OBJECT_HANDLE_INVALID", "CKR_KEY_HANDLE_INVALID", "0x80000abc",
        ].map { (value: String) in
            TokenFault(
                "\(value) for one key", "C_Sign return=\(value) mechanism=CKM_ECDSA", harm: .ec("HSM_UNAVAILABLE"), health: value)
        } + [
            TokenFault(
                "CKR_MECHANISM_INVALID", "* hide-mechanism=CKM_ECDSA", harm: .ec("UNSUPPORTED_ALGORITHM"),
                health: "CKR_MECHANISM_INVALID"),
            TokenFault(
                "a faulty RSA signature, once", "C_Sign corrupt count=1 mechanism=CKM_RSA_PKCS", harm: .none, health: nil),
            TokenFault(
                "a signature that never comes, once", "C_Sign hold count=1", harm: .some("DEADLINE_EXCEEDED"),
                health: "have not returned"),
        ]
}
