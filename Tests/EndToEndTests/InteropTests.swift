import Foundation
import Testing

/// A JOSE library of Python's, and how it verifies a JWT against a key set, with nothing of this project in between.
enum PythonLibrary: String, CaseIterable, Sendable {
    case pyJWT = "PyJWT"
    case jwcrypto
    case joserfc

    /// Where scripts/bootstrap puts what Debian does not have.
    private static let directory =
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path
        + "/.build/python"

    /// joserfc comes from PyPI, which not every machine reaches.
    var isThere: Bool {
        self != .joserfc || FileManager.default.fileExists(atPath: Self.directory + "/joserfc")
    }

    /// Debian's libraries go with Debian's cryptography, joserfc with what it brought along.
    var environment: [String: String] { self == .joserfc ? ["PYTHONPATH": Self.directory] : [:] }

    /// Defines `verify(url, keys, text, alg)`, which returns the claims of a JWT whose signature holds and raises otherwise.
    private var definition: String {
        switch self {
        case .pyJWT:
            """
            import jwt
            def verify(url, keys, text, alg):
                key = jwt.PyJWKClient(url + "openid/v1/jwks").get_signing_key_from_jwt(text).key
                return jwt.decode(text, key, algorithms=[alg], audience="api", issuer=url)
            """
        case .jwcrypto:
            """
            from jwcrypto import jwk, jws
            def verify(url, keys, text, alg):
                token = jws.JWS()
                token.allowed_algs = [alg]
                token.deserialize(text)
                key = jwk.JWKSet.from_json(keys).get_key(token.jose_header["kid"])
                token.verify(key)
                return json.loads(token.payload)
            """
        case .joserfc:
            """
            from joserfc import jwt, jwk
            def verify(url, keys, text, alg):
                return jwt.decode(text, jwk.KeySet.import_key_set(json.loads(keys)), algorithms=[alg]).claims
            """
        }
    }

    /// Reads lines of issuer URL, algorithm and JWT, and fails at the first that does not verify, or that verifies when altered.
    var script: String {
        """
        import json, sys, urllib.request, warnings
        warnings.simplefilter("ignore")
        \(definition)
        for line in sys.stdin:
            url, alg, text = line.split()
            keys = urllib.request.urlopen(url + "openid/v1/jwks").read().decode()
            discovery = json.load(urllib.request.urlopen(url + ".well-known/openid-configuration"))
            assert discovery["issuer"] == url and alg in discovery["id_token_signing_alg_values_supported"], discovery
            claims = verify(url, keys, text, alg)
            assert claims["iss"] == url and claims["sub"] == "me" and claims["n"] == 7, claims
            head, signature = text.rsplit(".", 1)
            altered = head + "." + signature[:9] + ("A" if signature[9] != "A" else "B") + signature[10:]
            try:
                verify(url, keys, altered, alg)
            except Exception:
                print(alg)
            else:
                raise SystemExit("an altered signature verifies: " + alg)
        """
    }
}

@Suite("Other people's libraries")
struct InteropTests {
    /// An issuer's name, its algorithm, and the options that make it.
    static let issuers: [(name: String, algorithm: String, options: [String])] = [
        ("rs2048", "RS256", []), ("rs3072", "RS256", ["--rsa-bits", "3072"]), ("rs4096", "RS256", ["--rsa-bits", "4096"]),
        ("ps2048", "PS256", []), ("ps4096", "PS256", ["--rsa-bits", "4096"]), ("es256", "ES256", []), ("es384", "ES384", []),
        ("es512", "ES512", []), ("eddsa", "EdDSA", []),
    ]

    @Test(
        "JWTs of every algorithm verify by the published keys, and altered ones do not",
        arguments: PythonLibrary.allCases.filter(\.isThere))
    func verifies(library: PythonLibrary) async throws {
        try await Installation.with { site in
            try await site.startAgent()
            try await site.startFrontend()
            var lines = ""
            for issuer in Self.issuers {
                let arguments = [
                    "issuer", "create", issuer.name, "--enable-oidc-issuer", "--no-standby", "--algorithm", issuer.algorithm,
                ]
                let url = try await site.output(
                    arguments: arguments + issuer.options + ["--query", "oidcIssuerProfile.issuerUrl", "-o", "tsv"])
                #expect(await poll("the documents") { try await site.get(url + "openid/v1/jwks").status == 200 })
                let jwt = try await site.output(
                    "jwt", "issue", issuer.name, "--subject", "me", "--audience", "api", "--claim", "n=7")
                lines += "\(url) \(issuer.algorithm) \(jwt)\n"
            }
            let outcome = try await Programs.run(
                at: "/usr/bin/python3", ["-c", library.script], environment: library.environment, input: lines)
            #expect(outcome.status == 0, "\(outcome.errors)")
            #expect(outcome.output.split(separator: "\n").map(String.init) == Self.issuers.map(\.algorithm))
        }
    }

    @Test("a change of algorithm goes through the programs: both in the documents, the old JWT still good")
    func change() async throws {
        try await Installation.with { site in
            try await site.startAgent()
            try await site.startFrontend()
            let url = try await site.output(
                "issuer", "create", "demo", "--enable-oidc-issuer", "--query", "oidcIssuerProfile.issuerUrl", "-o", "tsv")
            #expect(await poll("the standby key") { try await site.output("keys", "list", "-o", "tsv").contains("standby") })
            let old = try await site.output("jwt", "issue", "demo", "--subject", "me", "--audience", "api")
            let update = try await site.privyseal("issuer", "update", "demo", "--algorithm", "EdDSA")
            #expect(update.status == 0)
            #expect(update.errors.contains("EdDSA signs from the next rotation on"))
            #expect(
                await poll("both algorithms") {
                    try await site.get(url + ".well-known/openid-configuration").body.contains(#"["EdDSA","RS256"]"#)
                })
            _ = try await site.output("rotate", "demo", "--yes")
            let new = try await site.output("jwt", "issue", "demo", "--subject", "me", "--audience", "api")
            for jwt in [old, new] {
                let verdict = try await site.privyseal("jwt", "verify", "--issuer-url", url, "-", input: jwt + "\n")
                #expect(verdict.status == 0, "\(verdict.errors)")
            }
            let refused = try await site.privyseal("issuer", "update", "demo", "--algorithm", "ES256K")
            #expect(refused.status == 1)
            #expect(refused.errors.contains("choose one of RS256, PS256, ES256, ES384, ES512, EdDSA"))
        }
    }
}
