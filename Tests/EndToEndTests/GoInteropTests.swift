import AgentProtocol
import Foundation
import Testing

/// How Go's programs read a JWT, with nothing of this project in between.
enum GoReader: String, CaseIterable, Sendable {
    case encodingJSON = "encoding/json"
    case golangJWT = "golang-jwt"
    case goOIDC = "go-oidc"

    /// Where Debian has Go and its libraries; they are too big to be installed for this alone.
    private static let compiler = "/usr/bin/go"
    private static let libraries = "/usr/share/gocode"

    var isThere: Bool {
        let paths =
            switch self {
            case .encodingJSON: [Self.compiler]
            case .golangJWT: [Self.compiler, Self.libraries + "/src/github.com/golang-jwt/jwt"]
            case .goOIDC: [Self.compiler, Self.libraries + "/src/github.com/coreos/go-oidc"]
            }
        return paths.allSatisfy(FileManager.default.fileExists)
    }

    /// Builds what reads lines of issuer URL, audience and JWT, and writes for each the subject, audience and expiry it reads.
    func build(in directory: String) async throws -> String {
        let program = directory + "/reader"
        try source.write(toFile: program + ".go", atomically: true, encoding: .utf8)
        let outcome = try await Programs.run(
            at: Self.compiler, ["build", "-o", program, program + ".go"],
            environment: ["GO111MODULE": "off", "GOPATH": Self.libraries, "HOME": NSHomeDirectory()])
        try #require(outcome.status == 0, "\(outcome.errors)")
        return program
    }

    private var source: String {
        """
        package main

        import (
        \t"bufio"
        \t"fmt"
        \t"os"
        \t"strings"
        \(imports.map { "\t\($0)" }.joined(separator: "\n"))
        )

        \(reading)

        func main() {
        \tlines := bufio.NewScanner(os.Stdin)
        \tlines.Buffer(nil, 1<<20)
        \tfor lines.Scan() {
        \t\twords := strings.Fields(lines.Text())
        \t\tsubject, audience, expiry := read(words[0], words[1], words[2])
        \t\tfmt.Println(subject, strings.Join(audience, ","), expiry)
        \t}
        }
        """
    }

    private var imports: [String] {
        switch self {
        case .encodingJSON: [#""encoding/base64""#, #""encoding/json""#]
        case .golangJWT: [#"jwt "github.com/golang-jwt/jwt""#]
        case .goOIDC: [#""context""#, #"oidc "github.com/coreos/go-oidc""#]
        }
    }

    /// Defines `read(url, audience, jwt)`, which panics over a JWT that is not to be read.
    private var reading: String {
        switch self {
        case .encodingJSON:
            """
            func read(url, audience, text string) (string, []string, int64) {
            \tpayload, err := base64.RawURLEncoding.DecodeString(strings.Split(text, ".")[1])
            \tif err != nil {
            \t\tpanic(err)
            \t}
            \tvar claims struct {
            \t\tSubject  string   `json:"sub"`
            \t\tAudience []string `json:"aud"`
            \t\tExpiry   int64    `json:"exp"`
            \t}
            \tif err := json.Unmarshal(payload, &claims); err != nil {
            \t\tpanic(err)
            \t}
            \treturn claims.Subject, claims.Audience, claims.Expiry
            }
            """
        case .golangJWT:
            """
            func read(url, audience, text string) (string, []string, int64) {
            \tvar claims jwt.RegisteredClaims
            \tif _, _, err := new(jwt.Parser).ParseUnverified(text, &claims); err != nil {
            \t\tpanic(err)
            \t}
            \treturn claims.Subject, claims.Audience, claims.ExpiresAt.Unix()
            }
            """
        case .goOIDC:
            """
            func read(url, audience, text string) (string, []string, int64) {
            \tprovider, err := oidc.NewProvider(context.Background(), url)
            \tif err != nil {
            \t\tpanic(err)
            \t}
            \tconfig := &oidc.Config{ClientID: audience, SupportedSigningAlgs: []string{"ES256"}}
            \ttoken, err := provider.Verifier(config).Verify(context.Background(), text)
            \tif err != nil {
            \t\tpanic(err)
            \t}
            \treturn token.Subject, token.Audience, token.Expiry.Unix()
            }
            """
        }
    }
}

@Suite("Go's parser and libraries")
struct GoInteropTests {
    /// Further claims, each a member or more, that an access rule on `sub` and `aud` says nothing of.
    static let more = [
        #""n":1"#, #""SUB":"admin","AUD":["victim"],"EXP":4102444800"#, #""Sub":"admin""#, #""\u017fub":"admin""#,
        #""ſub":"admin""#, #""aUd":["victim"]"#, #""Exp":4102444800"#, #""s\u0055b":"admin""#, #""s_ub":"admin""#,
        #""sub\u0000":"admin""#, #""subject":"admin""#, #""x":{"sub":"admin","aud":"victim"}"#, #""ü":{"ſub":"admin"}"#,
        #""é_claim":[{"A":1},{"a":2}]"#, #""x":"\"sub\":\"admin\"""#,
    ]

    @Test(
        "Go's own parser and libraries read what is signed as it was granted, and what they read otherwise is not signed",
        arguments: GoReader.allCases.filter(\.isThere))
    func readsAsGranted(reader: GoReader) async throws {
        try await Installation.with { site in
            try await site.startAgent()
            try await site.startFrontend()
            let program = try await reader.build(in: site.directory)
            let url = try await site.output(
                "issuer", "create", "demo", "--enable-oidc-issuer", "--no-standby", "--algorithm", "ES256", "--query",
                "oidcIssuerProfile.issuerUrl", "-o", "tsv")
            #expect(await poll("the documents") { try await site.get(url + "openid/v1/jwks").status == 200 })
            var lines = ""
            var expected: [String] = []
            for more in Self.more {
                for members in [
                    "\"sub\":\"cart\",\"aud\":[\"api\",\"b\"],\(more)", "\(more),\"sub\":\"cart\",\"aud\":[\"api\",\"b\"]",
                ] {
                    let request = #"{"jsonrpc":"2.0","id":1,"method":"sign","params":{"issuer":"demo","claims":{\#(members)}}}"#
                    let reply = try JSONValue(parsing: Array(try await site.answer(to: request).utf8))
                    guard let result = reply["result"] else {
                        #expect(reply["error"]?["data"]?["reason"] == "CLAIMS_INVALID", "\(members)")
                        continue
                    }
                    let signed = try result.decode(SignResult.self)
                    lines += "\(url) api \(signed.jwt)\n"
                    expected.append("cart api,b \(signed.expiresAt.seconds)")
                }
            }
            // Those that are harmless are signed.
            #expect(expected.count >= 12)
            let outcome = try await Programs.run(at: program, [], input: lines)
            #expect(outcome.status == 0, "\(outcome.errors)")
            #expect(outcome.output.split(separator: "\n").map(String.init) == expected)
        }
    }
}
