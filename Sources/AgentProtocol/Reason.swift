/// Why a request failed: the `data.reason` of an error, from one append-only list.
///
/// The set is open. A client must decode a reason it does not know and treat it by the error's `retryable` flag.
public struct Reason: RawRepresentable, Hashable, Sendable, Codable, CustomStringConvertible {
    public let rawValue: String

    public init(rawValue: String) {
        self.rawValue = rawValue
    }

    public var description: String { rawValue }

    // Of the envelope (JSON-RPC 2.0 §5.1).
    public static let parseError = Reason(rawValue: "PARSE_ERROR")
    public static let invalidRequest = Reason(rawValue: "INVALID_REQUEST")
    public static let methodNotFound = Reason(rawValue: "METHOD_NOT_FOUND")
    public static let invalidParams = Reason(rawValue: "INVALID_PARAMS")
    public static let internalError = Reason(rawValue: "INTERNAL")
    public static let lineTooLong = Reason(rawValue: "LINE_TOO_LONG")

    // Of the operation.
    public static let permissionDenied = Reason(rawValue: "PERMISSION_DENIED")
    public static let issuerNotFound = Reason(rawValue: "ISSUER_NOT_FOUND")
    public static let issuerExists = Reason(rawValue: "ISSUER_EXISTS")
    public static let keyNotFound = Reason(rawValue: "KEY_NOT_FOUND")
    public static let claimsInvalid = Reason(rawValue: "CLAIMS_INVALID")
    public static let tokenLifetimeExceeded = Reason(rawValue: "TOKEN_LIFETIME_EXCEEDED")
    public static let conflict = Reason(rawValue: "CONFLICT")
    public static let hsmUnavailable = Reason(rawValue: "HSM_UNAVAILABLE")
    public static let busy = Reason(rawValue: "BUSY")
    public static let deadlineExceeded = Reason(rawValue: "DEADLINE_EXCEEDED")
    public static let rateLimited = Reason(rawValue: "RATE_LIMITED")
    public static let unsupportedAlgorithm = Reason(rawValue: "UNSUPPORTED_ALGORITHM")
    public static let storeUnavailable = Reason(rawValue: "STORE_UNAVAILABLE")
    public static let auditUnavailable = Reason(rawValue: "AUDIT_UNAVAILABLE")
    public static let policyInvalid = Reason(rawValue: "POLICY_INVALID")
    public static let shuttingDown = Reason(rawValue: "SHUTTING_DOWN")
    public static let issuerQuarantined = Reason(rawValue: "ISSUER_QUARANTINED")
    public static let wouldRevoke = Reason(rawValue: "WOULD_REVOKE")

    /// The JSON-RPC error code that goes with the reason; -32000 for one that this version does not know.
    public var code: Int {
        Self.codes[self] ?? -32000
    }

    /// Whether the same request may succeed later, unless the error says otherwise.
    public var isRetryable: Bool {
        Self.retryable.contains(self)
    }

    /// Every reason of this protocol version with its code, in the order `protocol.md` lists them.
    public static let all: [(reason: Reason, code: Int)] = [
        (.parseError, -32700),
        (.invalidRequest, -32600),
        (.methodNotFound, -32601),
        (.invalidParams, -32602),
        (.internalError, -32603),
        (.permissionDenied, -32001),
        (.issuerNotFound, -32002),
        (.issuerExists, -32003),
        (.keyNotFound, -32004),
        (.claimsInvalid, -32005),
        (.tokenLifetimeExceeded, -32006),
        (.conflict, -32007),
        (.hsmUnavailable, -32008),
        (.busy, -32009),
        (.deadlineExceeded, -32010),
        (.rateLimited, -32011),
        (.lineTooLong, -32012),
        (.unsupportedAlgorithm, -32013),
        (.storeUnavailable, -32014),
        (.auditUnavailable, -32015),
        (.policyInvalid, -32016),
        (.shuttingDown, -32017),
        (.issuerQuarantined, -32018),
        (.wouldRevoke, -32019),
    ]

    private static let codes = Dictionary(uniqueKeysWithValues: all.map { ($0.reason, $0.code) })

    private static let retryable: Set<Reason> = [
        .hsmUnavailable, .busy, .deadlineExceeded, .rateLimited, .storeUnavailable, .auditUnavailable, .shuttingDown,
    ]
}
