import AgentProtocol
import JOSE
import KeyLifecycle

@testable import Agent

extension SigningStep {
    /// Every step, in the order in which a request takes them; the whole request last.
    public static let all: [SigningStep] = [
        frame, decode, authorise, claimsPolicy, ring, payload, signingInput, digest,
        verification("verify-rs256", "the check of an RS256 signature, which every one gets", SampleKey.rs256),
        verification("verify-es256", "the check of an ES256 signature, which one in 64 gets", SampleKey.es256),
        audit, auditFile,
        encoding("encode-rs256", "the reply line around a JWT with an RS256 signature", SampleKey.rs256),
        encoding("encode-es256", "the reply line around a JWT with an ES256 signature", SampleKey.es256),
        whole("whole-rs256", "a request from line to reply line, signed with RS256 by a token", .rs256),
        whole("whole-es256", "a request from line to reply line, signed with ES256 by a token", .es256),
        whole("whole-es256-shared", "the same, with a store that several agents share", .es256, sharing: true),
    ]

    /// The request, as it is after `decode`.
    private static func request() throws -> (Request, SignRequest) {
        let request = try Request.decode(SampleIssuer.line)
        return (request, try SignRequest.decode(request.params))
    }

    private static let frame = SigningStep("frame", "bytes that were read become a line") {
        let bytes = SampleIssuer.line + [UInt8(ascii: "\n")]
        return PreparedStep {
            var framer = LineFramer()
            framer.feed(bytes)
            guard case .line(let line) = framer.next() else { throw StepError("there is no line") }
            return line.count
        }
    }

    private static let decode = SigningStep("decode", "a line becomes a request, and its params a sign request") {
        let line = SampleIssuer.line
        return PreparedStep {
            let request = try Request.decode(line)
            let parameters = try SignRequest.decode(request.params)
            return parameters.issuer.utf8.count
        }
    }

    private static let authorise = SigningStep("authorise", "access rules decide, and bound what may be signed") {
        let agent = try SampleAgent()
        let (_, parameters) = try request()
        return PreparedStep {
            try agent.gate.checkCall(agent.caller, .sign)
            let decision = try agent.gate.authorize(agent.caller, .sign, issuer: parameters.issuer)
            try decision.check(SignatureFacts(parameters.claims))
            try decision.check(lifetime: 3_600)
            return 1
        }
    }

    private static let claimsPolicy = SigningStep("claims-policy", "the issuer's policy judges the claims and dates the JWT") {
        let agent = try SampleAgent()
        let (_, parameters) = try request()
        return PreparedStep {
            let grant = try agent.policy.grant(ClaimsFacts(parameters), at: agent.clock.wall())
            return Int(grant.expiresAt)
        }
    }

    private static let ring = SigningStep("ring", "the issuer's active key is taken from the board, and given back") {
        let agent = try SampleAgent()
        agent.install(try SampleKey.es256().reference)
        return PreparedStep {
            let key = try agent.board.begin(SampleIssuer.name).key
            key.noteSigned(until: Timestamp(seconds: 1_800_000_000))
            key.use.end()
            return key.kid.utf8.count
        }
    }

    private static let payload = SigningStep("payload", "a jti is made, and the claims completed") {
        let agent = try SampleAgent()
        let (_, parameters) = try request()
        let grant = try agent.policy.grant(ClaimsFacts(parameters), at: agent.clock.wall())
        return PreparedStep {
            parameters.payload(grant, agent.policy.issuerURL, tokenID: parameters.tokenID()).count
        }
    }

    private static let signingInput = SigningStep("signing-input", "header and payload become a JWS signing input") {
        let (payload, key) = try (samplePayload(), SampleKey.es256().reference)
        return PreparedStep { CompactJWS.signingInput(key.header, payload: payload).count }
    }

    private static func samplePayload() throws -> [UInt8] {
        let agent = try SampleAgent()
        let (_, parameters) = try request()
        let grant = try agent.policy.grant(ClaimsFacts(parameters), at: agent.clock.wall())
        return parameters.payload(grant, agent.policy.issuerURL, tokenID: parameters.tokenID())
    }

    private static let digest = SigningStep("digest", "a signing input becomes what the token signs with CKM_RSA_PKCS") {
        let input = CompactJWS.signingInput(try SampleKey.rs256().reference.header, payload: try samplePayload())
        return PreparedStep { try required(SigningDigest(of: input, for: .rs256).digestInfo).count }
    }

    private static func verification(
        _ name: String, _ summary: String, _ key: @escaping @Sendable () throws -> SampleKey
    ) -> SigningStep {
        SigningStep(name, summary) {
            let key = try key()
            let digest = SigningDigest(of: SampleKey.signingInput, for: key.reference.algorithm.jws)
            return PreparedStep {
                guard key.reference.verifier.isValid(signature: key.signature, for: digest) else {
                    throw StepError("the sample signature is not valid")
                }
                return 1
            }
        }
    }

    private static let audit = SigningStep("audit", "a signature's record is composed and joined to the chain, and not written") {
        let agent = try SampleAgent()
        return try recording(agent, agent.auditLogWithoutFile()) {}
    }

    private static let auditFile = SigningStep("audit-file", "the same, written to a file in memory") {
        let agent = try SampleAgent()
        let directory = try SampleDirectory()
        do {
            return try recording(agent, agent.auditLog(in: directory)) { directory.remove() }
        } catch {
            directory.remove()
            throw error
        }
    }

    private static func recording(
        _ agent: SampleAgent, _ log: AuditLog, end: @escaping @Sendable () -> Void
    ) throws -> PreparedStep {
        let (_, parameters) = try request()
        let key = try SampleKey.es256().reference
        return PreparedStep {
            let entry = agent.entry(parameters, key)
            log.recordDone(entry) { receipt in precondition(receipt.error == nil, "the record was not written") }
            return entry.record.aud.count
        } end: {
            await log.close()
            end()
        }
    }

    private static func encoding(
        _ name: String, _ summary: String, _ key: @escaping @Sendable () throws -> SampleKey
    ) -> SigningStep {
        SigningStep(name, summary) {
            let key = try key()
            let id = try request().0.id
            let input = CompactJWS.signingInput(key.reference.header, payload: try samplePayload())
            return PreparedStep {
                ReplyLine.sign(
                    id: id, signingInput: input, signature: Base64URL.encode(key.signature), kid: key.reference.kid,
                    algorithm: key.reference.algorithm.rawValue, expiration: 1_800_000_000
                ).count
            }
        }
    }
}
