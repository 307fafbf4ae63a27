/// The `CKA_LABEL` of every key object of a deployment: `privyseal/<deployment>/<issuer>`.
public struct KeyLabel: Hashable, Sendable, CustomStringConvertible {
    /// The random id of the store that had the key made.
    public let deployment: String
    public let issuer: IssuerName

    public init(deployment: String, issuer: IssuerName) {
        self.deployment = deployment
        self.issuer = issuer
    }

    /// `nil` for any other label.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "privyseal", !parts[1].isEmpty, let issuer = IssuerName(String(parts[2])) else {
            return nil
        }
        self.init(deployment: String(parts[1]), issuer: issuer)
    }

    public var description: String { "privyseal/\(deployment)/\(issuer)" }
}
