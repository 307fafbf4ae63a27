import AgentProtocol
import JOSE
import KeyLifecycle
import Metrics

/// `sign`: reads the claims, judges them, queues the signature, records it. Runs on a thread that serves the sockets, and
/// does not wait there for the token.
final class Sign: Sendable {
    private let gate: Gate
    private let board: SigningBoard
    private let hsm: HSM
    private let audit: AuditLog
    private let clock: AgentClock
    private let signatures = Counter(label: "privyseal_signatures_total")
    private let refusals = Counter(label: "privyseal_signature_failures_total")

    init(gate: Gate, board: SigningBoard, hsm: HSM, audit: AuditLog, clock: AgentClock) {
        self.gate = gate
        self.board = board
        self.hsm = hsm
        self.audit = audit
        self.clock = clock
    }

    /// Signs what the request asks for. `reply` is called once with a whole line, from whatever thread finishes the work.
    ///
    /// - Parameter began: when the request came, in nanoseconds of the monotonic clock.
    func run(_ request: Request, _ caller: Caller, at began: Int64, reply: @escaping @Sendable ([UInt8]) -> Void) {
        let parameters: SignRequest
        do throws(ProtocolError) {
            parameters = try SignRequest.decode(request.params)
        } catch {
            audit.refused(audit.entry(caller, .sign, at: began), error)
            return fail(request.id, error, reply)
        }
        let wanted = SignatureRequest(id: request.id, caller: caller, began: began, parameters: parameters, reply: reply)
        do throws(ProtocolError) {
            let decision = try gate.authorize(caller, .sign, issuer: parameters.issuer)
            try decision.check(SignatureFacts(parameters.claims))
            begin(wanted, decision)
        } catch {
            refuse(wanted, error)
        }
    }

    /// What a request wants signed.
    private final class SignatureRequest: Sendable {
        let id: RequestID
        let caller: Caller
        /// When it came, in nanoseconds of the monotonic clock.
        let began: Int64
        let parameters: SignRequest
        let reply: @Sendable ([UInt8]) -> Void

        init(
            id: RequestID, caller: Caller, began: Int64, parameters: SignRequest, reply: @escaping @Sendable ([UInt8]) -> Void
        ) {
            self.id = id
            self.caller = caller
            self.began = began
            self.parameters = parameters
            self.reply = reply
        }
    }

    /// What the audit log will say of it.
    private func entry(for request: SignatureRequest) -> AuditEntry {
        var entry = audit.entry(request.caller, .sign, at: request.began)
        entry.record.issuer = request.parameters.issuer
        entry.record.sub = request.parameters.claims.subject
        entry.record.aud = request.parameters.claims.audience
        return entry
    }

    /// - Parameter decision: of the access rules, which have nothing against it.
    private func begin(_ request: SignatureRequest, _ decision: AccessDecision) {
        // The clock is read before the key is taken: see SigningBoard.freeze.
        let now = clock.wall()
        let state: SigningState
        do throws(SigningRefusal) {
            state = try board.begin(request.parameters.issuer)
        } catch {
            return refuse(request, ProtocolError(error))
        }
        let facts = ClaimsFacts(request.parameters)
        do throws(LifecycleError) {
            let grant = try state.policy.grant(facts, at: min(now, state.datedAtMost ?? now))
            do throws(ProtocolError) {
                try decision.check(lifetime: Int(grant.expiresAt - min(grant.issuedAt, now.seconds)))
            } catch {
                state.key.use.end()
                return refuse(request, error)
            }
            state.key.noteSigned(until: Timestamp(seconds: grant.expiresAt))
            hsm.sign(Signature(of: request, by: self, state, grant))
        } catch {
            state.key.use.end()
            if state.datedAtMost != nil, (try? state.policy.grant(facts, at: now)) != nil {
                // Right by the clock, but not by the frozen one: its turn comes with the next key.
                return board.whenThawed(request.parameters.issuer) { self.begin(request, decision) }
            }
            refuse(request, ProtocolError(error))
        }
    }

    /// What an issuer's policy has granted, on its way through the token.
    private final class Signature: SigningJob {
        let key: KeyReference
        var uid: UInt32 { request.caller.uid }
        private let request: SignatureRequest
        private let sign: Sign
        private let issuerURL: String
        private let grant: ClaimsGrant
        private let tokenID: String?

        init(of request: SignatureRequest, by sign: Sign, _ state: SigningState, _ grant: ClaimsGrant) {
            self.request = request
            self.sign = sign
            key = state.key
            issuerURL = state.policy.issuerURL
            self.grant = grant
            tokenID = request.parameters.tokenID()
        }

        func signingInput() -> [UInt8] {
            CompactJWS.signingInput(key.header, payload: request.parameters.payload(grant, issuerURL, tokenID: tokenID))
        }

        func end(_ result: Result<SignedInput, HSMError>) {
            switch result {
            case .success(let signed):
                sign.audit.allowed(entry) { [self] error in
                    // The reply is handed over first: a rotation that waits for the key must not overtake it.
                    defer { key.use.end() }
                    if let error { return sign.fail(request.id, ProtocolError(error), request.reply) }
                    sign.signatures.increment()
                    request.reply(line(of: signed))
                }
            case .failure(let error):
                let error = ProtocolError(error)
                sign.audit.refused(entry, error)
                sign.fail(request.id, error, request.reply)
                key.use.end()
            }
        }

        func endTogether(_ work: () -> Void) {
            sign.audit.gathering(work)
        }

        private var entry: AuditEntry {
            var entry = sign.entry(for: request)
            entry.record.kid = key.kid
            entry.record.jti = tokenID
            entry.record.lifetime = Int(grant.expiresAt - grant.issuedAt)
            return entry
        }

        private func line(of signed: SignedInput) -> [UInt8] {
            ReplyLine.sign(
                id: request.id, signingInput: signed.input, signature: Base64URL.encode(signed.signature), kid: key.kid,
                algorithm: key.algorithm.rawValue, expiration: grant.expiresAt)
        }
    }

    private func refuse(_ request: SignatureRequest, _ error: ProtocolError) {
        audit.refused(entry(for: request), error)
        fail(request.id, error, request.reply)
    }

    private func fail(_ id: RequestID, _ error: ProtocolError, _ reply: @Sendable ([UInt8]) -> Void) {
        refusals.increment()
        reply(ReplyLine.failure(id: id, error))
    }
}
