import AgentProtocol
import ArgumentParser
import RelyingParty

struct JWTVerifyCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Verify a JWT as a relying party does, and print what it says.",
        discussion: """
            Checks signature, exp and nbf, with --audience also aud. Prints header and claims of a JWT that verifies, and \
            nothing of one that does not: then the exit code is 4. When the keys cannot be had, it is 1.

            Whose keys count is never left to the JWT:
              --issuer-url URL  the keys that URL publishes; iss must be that URL. Its
                                certificate has to be of an authority that this machine
                                trusts, or of one in --ca-file, else in SSL_CERT_FILE and
                                SSL_CERT_DIR
              --jwks FILE       the keys in that file; iss is not checked
              neither           the agent's own issuers; iss must be that of one of
                                them, or a former one that is still accepted

            The JWT is read from standard input without an argument or with -. Prefer that: arguments can be seen by other \
            users of the machine.

            Examples:
              privyseal jwt issue demo --subject ci --audience api | privyseal jwt verify
              privyseal jwt verify --issuer-url https://oidc.example.com/t/id/ - < token
              privyseal jwt verify --audience api --leeway 30s - < token
              privyseal jwt verify --jwks keys.json --query claims.sub -o tsv - < token
            """)

    @Option(
        name: .customLong("issuer-url"),
        help: ArgumentHelp("Verify against the keys this issuer publishes.", valueName: "url"))
    var issuerURL: String?
    @Option(help: ArgumentHelp("Verify against the JSON Web Key Set in this file.", valueName: "file"), completion: .file())
    var jwks: String?
    @Option(
        name: .customLong("ca-file"),
        help: ArgumentHelp(
            "Trust the authorities whose certificates are in this file, PEM, and no others.", valueName: "file"),
        completion: .file())
    var authorityFile: String?
    @Option(
        help: ArgumentHelp(
            "How far the clocks may be apart: exp and nbf are taken with so much to spare; 0s unless given.",
            valueName: "duration"),
        transform: DurationArgument.parse)
    var leeway = DurationArgument(seconds: 0)
    @Option(help: ArgumentHelp("What aud must hold.", valueName: "audience"))
    var audience: String?
    @Argument(help: "The JWT, or - for standard input.")
    var jwt = "-"
    @OptionGroup var output: OutputOptions
    @OptionGroup var socket: SocketOptions

    func validate() throws {
        guard issuerURL == nil || jwks == nil else {
            throw ValidationError("--issuer-url and --jwks exclude each other.")
        }
        guard authorityFile == nil || issuerURL != nil else {
            throw ValidationError("--ca-file is about the server of --issuer-url.")
        }
        guard jwks != "-" || jwt != "-" else {
            throw ValidationError("Only one of JWT and --jwks can be standard input.")
        }
    }

    func run(on console: Console) async throws {
        let jwt = Self.trimmed(self.jwt == "-" ? String(decoding: try console.readInput(), as: UTF8.self) : self.jwt)
        let verified: VerifiedJWT
        if let issuerURL {
            let authorities = CertificateAuthorities(file: authorityFile, environment: console.environment)
            let keySet = try await console.fetcher(authorities).issuer(issuerURL).keySet
            verified = try await verify(jwt, keySet, issuer: issuerURL, console)
        } else if let jwks {
            verified = try await verify(jwt, try console.read(jwks), issuer: nil, console)
        } else {
            verified = try await socket.withAgent(console) { agent in
                try await OwnIssuers(agent: agent).verify(jwt) { keySet, issuer in
                    try await verify(jwt, keySet, issuer: issuer, console)
                }
            }
        }
        let result = try Self.result(verified)
        let view = View.text { now in Self.text(verified, claims: result["claims"] ?? .null, now: now) }
        try output.print(result, as: view, on: console)
    }

    private func verify(_ jwt: String, _ keySet: [UInt8], issuer: String?, _ console: Console) async throws -> VerifiedJWT {
        try await JWTVerifier(
            keySet: keySet, expectedIssuer: issuer, expectedAudience: audience, leeway: Double(leeway.seconds)
        ).verify(jwt, now: Double(console.now().seconds))
    }

    /// Without the white space that files and pipes put around it.
    static func trimmed(_ text: String) -> String {
        String(text.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
    }

    /// Header and claims as JSON. Claims that name a member twice are refused: parsers disagree on which one counts, so what was
    /// checked need not be what another program reads.
    static func result(_ jwt: VerifiedJWT) throws -> JSONValue {
        let claims: JSONValue
        do {
            claims = try JSONValue(parsing: jwt.payload)
        } catch {
            throw Failure(
                .verificationFailed, "the JWT's claims cannot be read in one way only: \(error.message)",
                hint: "do not accept it")
        }
        return ["header": ["alg": .string(jwt.header.alg), "kid": .string(jwt.header.kid)], "claims": claims]
    }

    static func text(_ jwt: VerifiedJWT, claims: JSONValue, now: WireTime) -> String {
        let card = Layout.card([
            ("Verified", "yes"),
            ("Key", jwt.header.kid),
            ("Algorithm", jwt.header.alg),
            (
                "Expires",
                Int64(exactly: jwt.claims.expiresAt.rounded(.down))
                    .map { Elapsed.moment(WireTime(seconds: $0), now: now) } ?? Column.none
            ),
        ])
        return card + "Claims:\n" + claims.prettyPrinted() + "\n"
    }
}
