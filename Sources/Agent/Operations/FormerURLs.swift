import KeyLifecycle

/// Issuers whose URL is not under the `publicBaseURL` in force, for `health` and `reload`.
enum FormerURLs {
    /// How many are named.
    private static let named = 20

    /// One line; `nil` when there are none.
    ///
    /// - Parameter others: how many more there are that the caller may not see.
    static func text(_ issuers: [IssuerName], others: Int = 0) -> String? {
        let names = issuers.prefix(named).map(\.text)
        let rest = issuers.count - names.count + others
        guard !names.isEmpty || rest > 0 else { return nil }
        let listed = names.joined(separator: ", ")
        let who = names.isEmpty ? "\(rest)" : rest > 0 ? "\(listed) and \(rest) more" : listed
        return "issuers that stay on a URL which is not under publicBaseURL: \(who); to mint a new one: "
            + "privyseal issuer update NAME --new-issuer-url"
    }
}
