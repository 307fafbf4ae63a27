/// The name of a protocol method, as it stands in a request's `method` member.
///
/// The set is open: a server answers a name it does not know with `METHOD_NOT_FOUND`.
public struct Method: RawRepresentable, Hashable, Sendable, Codable, CustomStringConvertible {
    public let rawValue: String

    public init(rawValue: String) {
        self.rawValue = rawValue
    }

    public var description: String { rawValue }

    public static let sign = Method(rawValue: "sign")
    public static let listKeys = Method(rawValue: "list-keys")
    public static let rotate = Method(rawValue: "rotate")
    public static let revokeKey = Method(rawValue: "revoke-key")
    public static let issuerStatus = Method(rawValue: "issuer-status")
    public static let issuerCreate = Method(rawValue: "issuer-create")
    public static let issuerUpdate = Method(rawValue: "issuer-update")
    public static let issuerDelete = Method(rawValue: "issuer-delete")
    public static let issuerList = Method(rawValue: "issuer-list")
    public static let getDiscovery = Method(rawValue: "get-discovery")
    public static let watch = Method(rawValue: "watch")
    public static let acknowledge = Method(rawValue: "acknowledge")
    public static let health = Method(rawValue: "health")
    public static let version = Method(rawValue: "version")
    public static let metrics = Method(rawValue: "metrics")
    public static let reconcile = Method(rawValue: "reconcile")
    public static let storeSave = Method(rawValue: "store-save")
    public static let reload = Method(rawValue: "reload")

    /// Every method of this protocol version, in the order `protocol.md` describes them.
    public static let all: [Method] = [
        .sign, .listKeys, .rotate, .revokeKey, .issuerStatus, .issuerCreate, .issuerUpdate, .issuerDelete, .issuerList,
        .getDiscovery, .watch, .acknowledge, .health, .version, .metrics, .reconcile, .storeSave, .reload,
    ]
}
