import AgentProtocol
import Testing

@testable import privyseal

@Suite("commands")
struct CommandTests {
    static let status = ScriptedSession([
        .issuerStatus: { _ in try JSONValue(encoding: Samples.issuer()) },
        .issuerCreate: { _ in
            try JSONValue(encoding: IssuerChangeResult(issuer: Samples.issuer(), warnings: ["iss has changed"]))
        },
        .sign: { _ in try JSONValue(encoding: Samples.signed) },
        .getDiscovery: { _ in try JSONValue(encoding: Samples.documents()) },
        .version: { _ in
            try JSONValue(
                encoding: VersionResult(agentVersion: "9.1.0", protocolVersion: "1.4", oldestClient: "0.10.0"))
        },
    ])

    @Test("issuer show prints the bare URL for a query as tsv")
    func bareURL() async {
        let outcome = await CommandLineRun(agent: Self.status)(
            "issuer show demo --query oidcIssuerProfile.issuerUrl -o tsv")
        #expect(outcome.output == Samples.url + "\n")
        #expect(outcome.errors.isEmpty)
        #expect(outcome.status == 0)
    }

    @Test("issuer show prints the settings")
    func show() async {
        let outcome = await CommandLineRun(agent: Self.status)("issuer show demo")
        #expect(
            outcome.output == """
                Name:              demo
                Created:           2026-11-22T09:00:00Z (2d1h ago)
                Generation:        3
                OIDC profile:      enabled
                Issuer URL:        https://oidc.example.com/t/11/
                Default issuer:    https://kubernetes.default.svc.cluster.local
                Algorithm:         RS256
                RSA key length:    2048
                JWT lifetime:      1h
                Maximum lifetime:  24h
                Overlap:           24h
                JWKS max-age:      5m
                Standby key:       yes
                Rotate every:      30d
                nbf dated back:    0s

                """)
    }

    @Test("issuer status prints where it stands")
    func issuerStatus() async {
        let outcome = await CommandLineRun(agent: Self.status)("issuer status demo")
        #expect(
            outcome.output == """
                Name:              demo
                Generation:        3
                Issuer:            https://oidc.example.com/t/11/
                OIDC profile:      enabled
                JWKS:              https://oidc.example.com/t/11/openid/v1/jwks
                Accepted issuers:  https://oidc.example.com/t/10/ (23h left)
                Active key:        kid-2
                Active algorithm:  RS256
                Keys:              1 standby, 1 active, 1 retiring
                Last rotation:     2026-11-24T09:00:00Z (60m ago)
                Overlap ends:      2026-11-25T09:00:00Z (in 23h)
                Next rotation:     2026-12-24T09:00:00Z (in 29d)
                HSM:               up
                As of:             2026-11-24T10:00:00Z (0s ago)
                Awaited rotation:  to kid-3 at 2026-11-24T10:00:20Z (in 20s)
                Quarantine:        <none>

                """)
        #expect(outcome.errors.isEmpty)
    }

    @Test("an issuer that signs nothing is not shown as one like all others")
    func quarantine() async {
        var issuer = Samples.issuer("web")
        issuer.quarantine = "the store is a copy"
        let agent = ScriptedSession([
            .issuerStatus: { [issuer] _ in try JSONValue(encoding: issuer) },
            .issuerList: { [issuer] _ in try JSONValue(encoding: IssuerList(issuers: [Samples.issuer(), issuer])) },
        ])
        let warning =
            "warning: issuer web is in quarantine and signs nothing: the store is a copy; `privyseal health` says what to do\n"
        let status = await CommandLineRun(agent: agent)("issuer status web")
        #expect(status.output.hasSuffix("Quarantine:        the store is a copy\n"))
        #expect(status.errors == warning)
        let list = await CommandLineRun(agent: agent)("issuer list")
        #expect(
            list.output == """
                NAME  OIDC     ISSUER                          ALGORITHM  ROTATED  AGE   STATE
                demo  enabled  https://oidc.example.com/t/11/  RS256      60m      2d1h  ok
                web   enabled  https://oidc.example.com/t/11/  RS256      60m      2d1h  quarantine

                """)
        #expect(list.errors == warning)
        let rows = await CommandLineRun(agent: agent)("issuer list -o tsv").output.split(separator: "\n")
        #expect(rows.map { $0.split(separator: "\t", omittingEmptySubsequences: false).last } == ["", "the store is a copy"])
    }

    @Test("a list is fetched page by page and printed as one")
    func pages() async {
        let agent = ScriptedSession([
            .listKeys: { params in
                let list =
                    params?["cursor"] == nil
                    ? KeyList(keys: [Samples.key("kid-2", "active")], nextCursor: "more")
                    : KeyList(keys: [Samples.key("kid-1", "retiring", expires: "2026-11-25T10:00:00Z")])
                return try JSONValue(encoding: list)
            }
        ])
        let run = CommandLineRun(agent: agent)
        #expect(
            await run("keys list --issuer demo").output == """
                ISSUER  KID    ALGORITHM  STATE     EXPIRES  AGE
                demo    kid-2  RS256      active    <none>   5m
                demo    kid-1  RS256      retiring  24h      5m

                """)
        #expect(
            agent.requests == [
                #"list-keys {"issuer":"demo"}"#, #"list-keys {"issuer":"demo","cursor":"more"}"#,
            ])
        #expect(
            await run("keys list -o tsv").output
                == "demo\tkid-2\tRS256\tactive\t\t2026-11-24T09:55:00Z\n"
                + "demo\tkid-1\tRS256\tretiring\t2026-11-25T10:00:00Z\t2026-11-24T09:55:00Z\n")
        #expect(await run("keys list --query keys.1.kid -o tsv").output == "kid-1\n")
        #expect(await run("keys list --query keys.7.kid -o tsv").output.isEmpty)
        #expect(await run("keys list --query keys.7.kid -o json").output == "null\n")
    }

    @Test("pages that never end are an error")
    func endlessPages() async {
        let agent = ScriptedSession([
            .issuerList: { _ in try JSONValue(encoding: IssuerList(issuers: [], nextCursor: "same")) }
        ])
        let outcome = await CommandLineRun(agent: agent)("issuer list")
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains("pages do not end"))
    }

    @Test("issuer list shows a line for each issuer")
    func issuerList() async {
        let agent = ScriptedSession([
            .issuerList: { _ in
                try JSONValue(encoding: IssuerList(issuers: [Samples.issuer(), Samples.issuer("web", enabled: false)]))
            }
        ])
        #expect(
            await CommandLineRun(agent: agent)("issuer list").output == """
                NAME  OIDC      ISSUER                                        ALGORITHM  ROTATED  AGE   STATE
                demo  enabled   https://oidc.example.com/t/11/                RS256      60m      2d1h  ok
                web   disabled  https://kubernetes.default.svc.cluster.local  RS256      60m      2d1h  ok

                """)
    }

    @Test("issuer status says of a rotation that waits that its key is still to come, and of none that there is none")
    func awaitedRotation() async throws {
        let requestedAt = Samples.time("2026-11-24T09:59:50Z")
        for (awaited, shown) in [
            (AwaitedRotationView(requestedAt: requestedAt, kid: nil, signsFrom: nil), "its key is being generated"),
            (nil, "<none>"),
        ] {
            let agent = ScriptedSession([
                .issuerStatus: { _ in
                    var status = Samples.issuer()
                    status.awaitedRotation = awaited
                    return try JSONValue(encoding: status)
                }
            ])
            #expect(await CommandLineRun(agent: agent)("issuer status demo").output.contains("Awaited rotation:  \(shown)\n"))
        }
    }

    @Test("issuer create sends what was given and nothing else, and prints the issuer")
    func create() async {
        let agent = ScriptedSession([
            .issuerCreate: { _ in
                try JSONValue(encoding: IssuerChangeResult(issuer: Samples.issuer(), warnings: ["iss has changed"]))
            }
        ])
        let outcome = await CommandLineRun(agent: agent)(
            "issuer create demo --algorithm ES256 --enable-oidc-issuer --lifetime 1h --max-lifetime 1h30m --overlap 2d"
                + " --no-standby --jwks-max-age 90s --not-before-skew 30s --rotate-every 30d --default-issuer https://d/ --query activeKid -o tsv"
        )
        #expect(outcome.output == "kid-2\n")
        #expect(outcome.errors == "warning: iss has changed\n")
        #expect(
            agent.requests == [
                #"issuer-create {"issuer":"demo","enableOIDCIssuer":true,"algorithm":"ES256","defaultIssuer":"https://d/","#
                    + #""lifetimeSeconds":3600,"maximumLifetimeSeconds":5400,"overlapSeconds":172800,"#
                    + #""jwksMaxAgeSeconds":90,"notBeforeSkewSeconds":30,"standby":false,"rotateEverySeconds":2592000}"#
            ])
        _ = await CommandLineRun(agent: agent)("issuer create demo --algorithm PS256 --rsa-bits 3072")
        #expect(agent.requests.last == #"issuer-create {"issuer":"demo","algorithm":"PS256","rsaBits":3072}"#)
        _ = await CommandLineRun(agent: agent)("issuer create demo")
        #expect(agent.requests.last == #"issuer-create {"issuer":"demo"}"#)
        #expect(!agent.isConnected)
    }

    @Test("jwt issue builds the claims in order, aud a string for one audience and an array for several")
    func issue() async {
        let agent = ScriptedSession([.sign: { _ in try JSONValue(encoding: Samples.signed) }])
        let run = CommandLineRun(agent: agent)
        #expect(await run("jwt issue demo --subject s --audience a").output == "aaa.bbb.ccc\n")
        #expect(
            await run("jwt issue demo --subject s --audience a --audience b --lifetime 10m --claim z=1.0 --claim b=x -o tsv")
                .output == "aaa.bbb.ccc\n")
        #expect(
            agent.requests == [
                #"sign {"issuer":"demo","claims":{"sub":"s","aud":"a"}}"#,
                #"sign {"issuer":"demo","claims":{"sub":"s","aud":["a","b"],"z":1.0,"b":"x"},"lifetimeSeconds":600}"#,
            ])
        #expect(await run("jwt issue demo --subject s --audience a --query kid").output == "kid-2\n")
    }

    @Test("sign sends the object it was given, from a file or standard input")
    func sign() async {
        let agent = ScriptedSession([.sign: { _ in try JSONValue(encoding: Samples.signed) }])
        let run = CommandLineRun(
            agent: agent, input: " {\"b\":1.50,\n\"a\":\"x\"}\n",
            files: ["c.json": #"{"aud":"a"}"#, "list": "[1]", "twice": #"{"a":1,"a":2}"#])
        #expect(await run("sign demo --claims -").output == "aaa.bbb.ccc\n")
        #expect(await run("sign demo --claims c.json").output == "aaa.bbb.ccc\n")
        #expect(
            agent.requests == [
                #"sign {"issuer":"demo","claims":{"b":1.50,"a":"x"}}"#, #"sign {"issuer":"demo","claims":{"aud":"a"}}"#,
            ])
        for file in ["list", "twice", "missing"] {
            let outcome = await run("sign demo --claims \(file)")
            #expect(outcome.status == 1)
            #expect(outcome.errors.contains(file))
        }
        #expect(agent.requests.count == 2)
    }

    @Test("jwks and discovery print the documents' own bytes")
    func documents() async {
        let run = CommandLineRun(agent: Self.status)
        #expect(await run("jwks demo").output == Samples.jwksText)
        #expect(await run("discovery demo").output == Samples.discoveryText)
        #expect(await run("jwks demo --query keys.1.kid -o tsv").output == "kid-3\n")
        #expect(await run("discovery demo -o json").output.hasPrefix("{\n  \"issuer\": "))
    }

    @Test("an issuer whose profile is disabled has keys but no discovery document")
    func disabledDocuments() async {
        let run = CommandLineRun(
            agent: ScriptedSession([.getDiscovery: { _ in try JSONValue(encoding: Samples.documents(enabled: false)) }]))
        #expect(await run("jwks demo").output == Samples.jwksText)
        let outcome = await run("discovery demo")
        #expect(outcome.status == 1)
        #expect(outcome.output.isEmpty)
        #expect(outcome.errors.contains("hint: enable it with `privyseal issuer update demo --enable-oidc-issuer`"))
    }

    @Test("health succeeds while the agent signs", arguments: [("ok", 0), ("degraded", 0), ("unavailable", 1), ("new", 1)])
    func health(status: String, code: Int32) async {
        let agent = ScriptedSession([.health: { _ in try JSONValue(encoding: Samples.health(status)) }])
        let outcome = await CommandLineRun(agent: agent)("health")
        #expect(outcome.status == code)
        #expect(outcome.output.hasPrefix("Status:     \(status)\n"))
        #expect(outcome.output.hasSuffix("Audit log:  ok\n"))
        #expect(outcome.errors == (status == "ok" ? "" : "warning: hsm: the token is gone; plug it in\n"))
    }

    @Test("version shows both sides, and warns when the agent wants a newer client")
    func version() async {
        let outcome = await CommandLineRun(agent: Self.status)("version --query agent.agentVersion -o tsv")
        #expect(outcome.output == "9.1.0\n")
        #expect(outcome.errors.hasPrefix("warning: the agent serves clients from 0.10.0 on"))
        #expect(!VersionCommand.isOlder("0.10.0", than: "0.9.9"))
        #expect(VersionCommand.isOlder("0.9.9", than: "0.10.0"))
    }

    @Test("version without an agent shows the client's, and is exit code 3")
    func versionWithoutAgent() async {
        let outcome = await CommandLineRun(isUnreachable: true)("version --query client.version -o tsv")
        #expect(outcome.output == ProtocolVersion.agent + "\n")
        #expect(outcome.errors.hasPrefix("error: nobody answers"))
        #expect(outcome.status == 3)
    }

    @Test("call sends the params as they are and prints the result as json")
    func call() async {
        let agent = ScriptedSession([
            AgentProtocol.Method(rawValue: "brand-new"): { params in ["echo": params ?? .null] }
        ])
        #expect(
            await CommandLineRun(agent: agent)(#"call brand-new {"b":1.0}"#).output
                == "{\n  \"echo\": {\n    \"b\": 1.0\n  }\n}\n")
        #expect(await CommandLineRun(agent: agent, input: "{}\n")("call brand-new -").status == 0)
        #expect(await CommandLineRun(agent: agent)("call brand-new --query echo -o tsv").output.isEmpty)
        #expect(agent.requests == [#"brand-new {"b":1.0}"#, "brand-new {}", "brand-new"])
    }

    @Test("the socket is the option's, else the variable's unless empty, else the default")
    func sockets() async {
        let variable = ["PRIVYSEAL_SOCKET": "/tmp/env.sock"]
        #expect(await CommandLineRun(environment: variable)("health --socket /tmp/o.sock").sockets == ["/tmp/o.sock"])
        #expect(await CommandLineRun(environment: variable)("health").sockets == ["/tmp/env.sock"])
        #expect(await CommandLineRun(environment: ["PRIVYSEAL_SOCKET": ""])("health").sockets == [SocketOptions.defaultPath])
    }
}
