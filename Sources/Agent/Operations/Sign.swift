import AgentProtocol
import JOSE
import KeyLifecycle
import Metrics

/// `sign`: reads the claims, judges them, queues the signature, records it. Called on a thread that serves the sockets, which
/// does not wait there for the token.
final class Sign: Sendable {
    private let gate: Gate
    private let board: SigningBoard
    private let hsm: HSM
    private let audit: AuditLog
    private let fence: SigningFence
    /// Looks at a store that is shared, and returns once the agent goes by what it shows.
    private let look: @Sendable () async -> Void
    private let clock: AgentClock
    private let signatures = Counter(label: "privyseal_signatures_total")
    private let refusals = Counter(label: "privyseal_signature_failures_total")

    init(
        gate: Gate, board: SigningBoard, hsm: HSM, audit: AuditLog, clock: AgentClock,
        look: @escaping @Sendable () async -> Void = {}
    ) {
        self.gate = gate
        self.board = board
        self.hsm = hsm
        self.audit = audit
        fence = hsm.fence
        self.look = look
        self.clock = clock
    }

    /// Signs what the request asks for. It is answered from whatever thread finishes the work.
    func answer(_ request: PendingRequest) {
        var request = request
        let admission: Admission<SignRequest>
        do throws(ProtocolError) {
            let parameters = try SignRequest.decode(request.params)
            request.entry.record.issuer = parameters.issuer
            request.entry.record.sub = parameters.claims.subject
            request.entry.record.aud = parameters.claims.audience
            admission = try gate.admit(request, parameters, issuer: parameters.issuer)
            try admission.decision.check(SignatureFacts(parameters.claims))
        } catch {
            refusals.increment()
            return audit.refuse(request, error)
        }
        queue(admission)
    }

    /// Has the issuer's active key sign, as far as the issuer's policy allows it.
    ///
    /// - Parameter isAgain: whether it was queued before, for a key that another agent has replaced since.
    private func queue(_ admission: Admission<SignRequest>, again isAgain: Bool = false) {
        let issuer = admission.parameters.issuer
        // The clock is read before the key is taken: see SigningBoard.freeze.
        let now = clock.wall()
        let state: SigningState
        do throws(SigningRefusal) {
            state = try board.begin(issuer)
        } catch {
            return refuse(admission, ProtocolError(error))
        }
        let facts = ClaimsFacts(admission.parameters)
        do throws(LifecycleError) {
            let grant = try state.policy.grant(facts, at: min(now, state.datedAtMost ?? now))
            do throws(ProtocolError) {
                try admission.decision.check(lifetime: Int(grant.expiresAt - min(grant.issuedAt, now.seconds)))
            } catch {
                state.key.use.end()
                return refuse(admission, error)
            }
            state.key.noteSigned(until: Timestamp(seconds: grant.expiresAt))
            hsm.sign(Signature(for: admission, by: self, state, grant, isAgain: isAgain))
        } catch {
            state.key.use.end()
            if state.datedAtMost != nil, (try? state.policy.grant(facts, at: now)) != nil {
                // Right by the clock, but not by the frozen one: its turn comes with the next key.
                return board.whenThawed(issuer) { self.queue(admission, again: isAgain) }
            }
            refuse(admission, ProtocolError(error))
        }
    }

    private func refuse(_ admission: Admission<SignRequest>, _ error: ProtocolError) {
        refusals.increment()
        audit.refuse(admission, error)
    }

    /// Whether what was signed with the key may be handed over now. With a store that is this agent's alone no clock is read.
    private func mayHandOver(_ key: KeyReference) -> Bool {
        let until = min(fence.until, key.until)
        return until == .max || clock.monotonic() < until
    }

    /// A key that cannot be used, or not any more, may have been replaced by another agent: the request's turn comes with the next
    /// one, once.
    ///
    /// - Returns: false when it is to be refused.
    private func tryAgain(_ admission: Admission<SignRequest>, _ key: KeyReference, _ error: HSMError) -> Bool {
        guard fence.isShared, error.code == .unconfirmed || error.code == .keyUnavailable else { return false }
        Task {
            await look()
            queue(admission, again: true)
        }
        return true
    }

    /// What an issuer's policy has granted, on its way through the token.
    private final class Signature: SigningJob {
        let key: KeyReference
        var uid: UInt32 { admission.caller.uid }
        private let admission: Admission<SignRequest>
        private let sign: Sign
        private let issuerURL: String
        private let grant: ClaimsGrant
        private let tokenID: String?
        private let isAgain: Bool

        init(
            for admission: Admission<SignRequest>, by sign: Sign, _ state: SigningState, _ grant: ClaimsGrant, isAgain: Bool
        ) {
            self.admission = admission
            self.sign = sign
            key = state.key
            issuerURL = state.policy.issuerURL
            self.grant = grant
            tokenID = admission.parameters.tokenID()
            self.isAgain = isAgain
        }

        var isKeyCertain: Bool { isAgain || !sign.fence.isShared }

        func maySign(at now: Int64) -> Bool {
            sign.fence.isOpen(at: now) && now < key.until
        }

        func signingInput() -> [UInt8] {
            CompactJWS.signingInput(key.header, payload: admission.parameters.payload(grant, issuerURL, tokenID: tokenID))
        }

        func end(_ result: Result<SignedInput, HSMError>) {
            switch result {
            case .success where !sign.mayHandOver(key):
                end(.failure(.unconfirmed))
            case .success(let signed):
                sign.audit.recordDone(entry) { [self] receipt in
                    // The reply is handed over first: a rotation that waits for the key must not overtake it. It leaves with the
                    // others of its batch, by what the log was given as `sendingRepliesTogether`.
                    defer { key.use.end() }
                    if let error = receipt.error {
                        sign.refusals.increment()
                        return admission.reply.fail(ProtocolError(error), receipt)
                    }
                    // The disk may have taken any time. What is not handed over is recorded all the same, and once more with the
                    // next key.
                    guard sign.mayHandOver(key) else {
                        if !isAgain, sign.tryAgain(admission, key, .unconfirmed) { return }
                        sign.refusals.increment()
                        return admission.reply.fail(ProtocolError(.unconfirmed), receipt)
                    }
                    sign.signatures.increment()
                    admission.reply.succeed(line: line(of: signed), receipt)
                }
            case .failure(let error):
                if !isAgain, sign.tryAgain(admission, key, error) { return key.use.end() }
                let error = ProtocolError(error)
                sign.refusals.increment()
                admission.reply.fail(error, sign.audit.recordRefusal(entry, error))
                key.use.end()
            }
        }

        func endTogether(_ work: () -> Void) {
            sign.audit.gathering(work)
        }

        private var entry: AuditEntry {
            var entry = admission.entry
            entry.record.kid = key.kid
            entry.record.jti = tokenID
            entry.record.lifetime = Int(grant.expiresAt - grant.issuedAt)
            return entry
        }

        private func line(of signed: SignedInput) -> [UInt8] {
            ReplyLine.sign(
                id: admission.reply.id, signingInput: signed.input, signature: Base64URL.encode(signed.signature), kid: key.kid,
                algorithm: key.algorithm.rawValue, expiration: grant.expiresAt)
        }
    }
}
