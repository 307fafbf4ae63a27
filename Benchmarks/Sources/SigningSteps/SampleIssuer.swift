import AgentProtocol
import JOSE
import KeyLifecycle

@testable import Agent

/// The issuer that is signed for, the request for it and the rules that bound it: those that `scripts/bench` measures with.
enum SampleIssuer {
    static let createdAt = Timestamp(seconds: 1_795_514_400)

    /// A request's line, without its line feed.
    static let line = Array(
        #"""
        {"jsonrpc":"2.0","id":1000000,"method":"sign","params":{"issuer":"shop-cart","claims":{\#
        "sub":"system:serviceaccount:shop:cart","aud":["https://sts.example.com"],"kubernetes.io":{"namespace":"shop",\#
        "pod":{"name":"cart-7d9f8c6b5-x2x7p","uid":"0c6b0f2e-4d0b-4f6e-9a51-0d3c1c1d8f10"},\#
        "serviceaccount":{"name":"cart","uid":"8f0c2f0e-6d0f-4f55-9f0a-3d3f2f6f7c11"}}}}}
        """#.utf8)

    static let name = "shop-cart"

    static func policy() throws -> ClaimsPolicy {
        let issuer = Issuer(
            name: try required(IssuerName(name)), generation: 1, createdAt: createdAt, changedAt: createdAt,
            settings: IssuerSettings(lifetime: 3_600, maximumLifetime: 86_400), profile: .enabled(url: url), acceptedIssuers: [],
            ring: KeyRing(keys: []), lastRotationAt: nil, maxAgeHorizon: nil)
        return ClaimsPolicy(issuer)
    }

    private static let url =
        "https://oidc.example.com/3f0c6d1a-7b52-4e0e-9d3a-5c8e2f1b6a90/b1d7e4c2-0a9f-4c63-8e5d-6f2a7c3b9d14/"

    /// The rule that decides bounds everything a rule can bound but the rate.
    static func access(for user: UInt32) throws -> AccessPolicy {
        var bounded = AccessRule(name: "access[0]", user: user, methods: [.sign])
        bounded.issuers = [try required(Glob("shop-*"))]
        bounded.subjects = [try required(Glob("system:serviceaccount:*"))]
        bounded.audiences = [try required(Glob("https://*"))]
        bounded.claims = ["kubernetes.io"]
        bounded.maximumLifetime = 3_600
        return AccessPolicy(
            rules: [bounded, AccessRule(name: "access[1]", user: user, methods: nil)], overflowUID: 65_534, overflowGID: 65_534)
    }
}
