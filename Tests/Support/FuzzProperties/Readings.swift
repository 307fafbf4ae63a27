import AgentProtocol

extension FuzzTarget {
    /// Claims, as other people's parsers read what is signed of them.
    static func readings(_ parsers: OtherParsers) -> FuzzTarget {
        FuzzTarget("readings", "claims beside the parsers of relying parties", longestInput: 2_048) { text throws(Violation) in
            guard let claims = try? ClaimsObject(parsing: text) else { return }
            let payload = claims.filling(
                issuer: "https://oidc.example.com/", issuedAt: 1_800_000_000, notBefore: 1_800_000_000, expiration: 1_800_000_600,
                id: "id")
            for signed in [text, payload] {
                guard let claims = try? ClaimsObject(parsing: signed) else { throw Violation("filled claims are refused") }
                let ours = try reading(claims, signed)
                for (view, theirs) in try parsers.read(signed) {
                    try require(theirs == ours, "\(view) reads it otherwise:\n  \(theirs)\nthan it was granted:\n  \(ours)")
                }
            }
        }
    }

    /// What the agent judges and records of claims, as the parsers write it.
    private static func reading(_ claims: ClaimsObject, _ text: [UInt8]) throws(Violation) -> String {
        let audience = claims.audience.map(hexadecimal).joined(separator: ",")
        let registered: [(name: String, value: String?)] = [
            ("iss", claims.issuer.map(hexadecimal)), ("sub", claims.subject.map(hexadecimal)), ("aud", audience),
            ("exp", claims.expiration.map(String.init)), ("nbf", claims.notBefore.map(String.init)),
            ("iat", claims.issuedAt.map(String.init)), ("jti", claims.id.map(hexadecimal)),
        ]
        let names = registered.filter { $0.value != nil }.map(\.name) + claims.otherNames
        let plain = try require(PlainJSON.read(text), "what is no JSON was taken")
        let fields = registered.map { "\($0.name)=\($0.value ?? "-")" }
        return (fields + ["members=\(plain.names.count)", "names=\(names.map(hexadecimal).sorted().joined(separator: ","))"])
            .joined(separator: " ")
    }

    private static func hexadecimal(_ text: String) -> String {
        text.utf8.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
