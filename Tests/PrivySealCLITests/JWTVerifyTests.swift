import AgentProtocol
import Crypto
import Foundation
import JOSE
import RelyingParty
import Testing

@testable import privyseal

@Suite("jwt verify")
struct JWTVerifyTests {
    /// A P-256 key that signs JWTs, and its key set.
    struct Signer {
        let key = P256.Signing.PrivateKey()
        let publicKey: PublicKey

        init() throws {
            publicKey = try PublicKey(ecPoint: Array(key.publicKey.x963Representation), on: .p256)
        }

        func jwks() throws -> String {
            String(decoding: try JWKSet.encode([(publicKey, .es256)]), as: UTF8.self)
        }

        func jwt(_ claims: String) throws -> String {
            var text = CompactJWS.signingInput(
                ProtectedHeader(algorithm: .es256, kid: publicKey.kid), payload: Array(claims.utf8))
            let signature = try key.signature(for: text)
            text += [UInt8(ascii: ".")] + Base64URL.encode(Array(signature.rawRepresentation))
            return String(decoding: text, as: UTF8.self)
        }
    }

    // 2026-11-24T11:00:00Z, an hour after the run's now.
    static let expiry: Int64 = 1_795_518_000

    static func claims(iss: String = Samples.url, exp: Int64 = expiry, more: String = "") -> String {
        #"{"iss":"\#(iss)","sub":"s","aud":["a","b"],"exp":\#(exp)\#(more)}"#
    }

    let signer: Signer
    let other: Signer

    init() throws {
        signer = try Signer()
        other = try Signer()
    }

    /// An agent with the issuer demo, whose key is `signer`'s, and disabled issuers that share an iss.
    func agent() throws -> ScriptedSession {
        let keys = ["demo": try signer.jwks(), "off-1": try other.jwks(), "off-2": try signer.jwks()]
        return ScriptedSession([
            .issuerList: { _ in
                try JSONValue(
                    encoding: IssuerList(issuers: [
                        Samples.issuer("demo"), Samples.issuer("off-1", enabled: false),
                        Samples.issuer("off-2", enabled: false),
                    ]))
            },
            .getDiscovery: { params in
                let name = params?["issuer"]?.string ?? ""
                return try JSONValue(encoding: Samples.documents(jwks: keys[name] ?? ""))
            },
        ])
    }

    @Test("a JWT of the agent's own issuer verifies, white space around it or not", arguments: ["", "\n", " \r\n"])
    func own(whitespace: String) async throws {
        let jwt = try signer.jwt(Self.claims()) + whitespace
        let outcome = await CommandLineRun(agent: try agent(), input: jwt)("jwt verify")
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(
            outcome.output == """
                Verified:   yes
                Key:        \(signer.publicKey.kid)
                Algorithm:  ES256
                Expires:    2026-11-24T11:00:00Z (in 60m)
                Claims:
                {
                  "iss": "https://oidc.example.com/t/11/",
                  "sub": "s",
                  "aud": [
                    "a",
                    "b"
                  ],
                  "exp": \(Self.expiry)
                }

                """)
    }

    @Test(
        "a former iss that is still accepted, and one that several issuers share, find their keys",
        arguments: [
            Samples.former, Samples.defaultIssuer,
        ])
    func otherIssuers(iss: String) async throws {
        let jwt = try signer.jwt(Self.claims(iss: iss))
        let outcome = await CommandLineRun(agent: try agent())(words: [
            "jwt", "verify", jwt, "--query", "header.alg", "-o", "tsv",
        ])
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.output == "ES256\n")
    }

    @Test("a JWT that names its own issuer to trust is refused, and nothing is fetched from there")
    func forged() async throws {
        let jwt = try other.jwt(Self.claims(iss: "https://evil.example/"))
        let fetcher = DiscoveryFetcher(fetch: { url in
            Issue.record("fetched \(url)")
            return FetchedDocument(status: 404, contentType: nil, body: [])
        })
        let outcome = await CommandLineRun(agent: try agent(), input: jwt, fetcher: fetcher)("jwt verify")
        #expect(outcome.status == 4)
        #expect(outcome.output.isEmpty)
        #expect(outcome.errors.hasPrefix("error: no issuer of this agent has the JWT's iss"))
        #expect(!outcome.errors.contains("evil"))
    }

    @Test("what does not verify is exit code 4 and prints no claims")
    func refused() async throws {
        let agent = try agent()
        let jwts = [
            try other.jwt(Self.claims()), try signer.jwt(Self.claims(exp: 1_795_514_399)),
            try signer.jwt(Self.claims(more: #","sub":"admin""#)), try signer.jwt("[]"), "no.jwt", "",
        ]
        for jwt in jwts {
            let outcome = await CommandLineRun(agent: agent, input: jwt)("jwt verify")
            #expect(outcome.status == 4, "\(outcome.errors)")
            #expect(outcome.output.isEmpty)
        }
        let audience = await CommandLineRun(agent: agent, input: try signer.jwt(Self.claims()))("jwt verify --audience c")
        #expect(audience.status == 4)
    }

    @Test("claims that repeat a member are refused also where the keys come from a file")
    func ambiguous() async throws {
        let run = CommandLineRun(
            input: try signer.jwt(Self.claims(more: #","sub":"admin""#)), files: ["keys.json": try signer.jwks()])
        let outcome = await run("jwt verify --jwks keys.json")
        #expect(outcome.status == 4)
        #expect(outcome.errors.contains("cannot be read in one way only"))
    }

    @Test("--jwks takes the file's keys and needs no agent")
    func keySetFile() async throws {
        let run = CommandLineRun(
            input: try signer.jwt(Self.claims(iss: "anyone")),
            files: ["keys.json": try signer.jwks(), "broken.json": "{}"], isUnreachable: true)
        let outcome = await run("jwt verify --jwks keys.json --audience b --query claims.iss -o tsv")
        #expect(outcome.output == "anyone\n")
        #expect(outcome.sockets.isEmpty)
        #expect(await run("jwt verify --jwks broken.json").status == 1)
        #expect(await run("jwt verify --jwks missing.json").status == 1)
    }

    @Test("--issuer-url takes the keys published there, for that iss only")
    func issuerURL() async throws {
        let url = "https://issuer.example/t/"
        let discovery = DiscoveryDocument(issuer: url, jwksURI: url + "keys", algorithms: [.es256]).encoded
        let keys = Array(try signer.jwks().utf8)
        let fetcher = DiscoveryFetcher(fetch: { asked in
            switch asked.absoluteString {
            case url + ".well-known/openid-configuration":
                FetchedDocument(status: 200, contentType: nil, body: discovery)
            case url + "keys": FetchedDocument(status: 200, contentType: nil, body: keys)
            default: FetchedDocument(status: 404, contentType: nil, body: [])
            }
        })
        let genuine = CommandLineRun(input: try signer.jwt(Self.claims(iss: url)), fetcher: fetcher)
        #expect(await genuine("jwt verify --issuer-url \(url) -").status == 0)
        #expect(await genuine("jwt verify --issuer-url https://issuer.example/gone/").status == 1)
        #expect(await genuine("jwt verify --issuer-url ftp://x").status == 2)
        let foreign = CommandLineRun(input: try signer.jwt(Self.claims()), fetcher: fetcher)
        #expect(await foreign("jwt verify --issuer-url \(url)").status == 4)
    }

    @Test("--ca-file, or SSL_CERT_FILE and SSL_CERT_DIR, say whose certificates count, for --issuer-url alone")
    func authorities() async throws {
        let run = CommandLineRun(input: try signer.jwt(Self.claims()), environment: ["SSL_CERT_DIR": "/d"])
        let ask = "jwt verify --issuer-url https://issuer.example"
        #expect(await run("\(ask) --ca-file ca.pem").authorities == [.named(files: ["ca.pem"], directories: [])])
        #expect(await run(ask).authorities == [.named(files: [], directories: ["/d"])])
        #expect(await CommandLineRun(input: "")(ask).authorities == [.machine])
        let without = await run("jwt verify --ca-file ca.pem")
        #expect(without.status == 2 && without.errors.contains("--issuer-url"), "\(without.errors)")
    }

    @Test("--leeway is how far the clocks may be apart", arguments: [("", 4), (" --leeway 59s", 4), (" --leeway 1m", 0)])
    func leeway(option: String, status: Int32) async throws {
        // Its last second was a minute ago, but for one.
        let late = try signer.jwt(Self.claims(exp: 1_795_514_341))
        #expect(await CommandLineRun(agent: try agent(), input: late)("jwt verify" + option).status == status)
        let early = try signer.jwt(Self.claims(more: #","nbf":1795514460"#))
        #expect(await CommandLineRun(agent: try agent(), input: early)("jwt verify" + option).status == status)
    }

    @Test("a server's certificate that is not accepted is no verdict on the JWT")
    func certificate() async throws {
        let fetcher = DiscoveryFetcher(fetch: { _ in throw VerificationError(.certificateUntrusted, "what", hint: "how") })
        let outcome = await CommandLineRun(input: "", fetcher: fetcher)("jwt verify --issuer-url https://issuer.example")
        #expect(outcome.status == 1)
        #expect(outcome.errors == "error: what\nhint: how\n")
    }
}
