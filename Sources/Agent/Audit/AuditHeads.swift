import JOSE
import Logging
import Platform

/// Signs heads of the log, so that who can write to it cannot write another one unnoticed.
protocol HeadSigner: Sendable {
    /// - Returns: a signature over `statement` and the key's kid: R‖S of ECDSA with P-256 and SHA-256, or that of
    ///   RSASSA-PKCS1-v1_5 with SHA-256.
    func sign(_ statement: [UInt8]) async throws -> (signature: [UInt8], kid: String)
}

/// A record, vouched for by the audit key.
struct SignedHead: Hashable, Sendable {
    let link: AuditLink
    let kid: String
    /// base64url.
    let signature: String

    /// What is signed for a record.
    static func statement(of link: AuditLink) -> [UInt8] {
        Array("privyseal audit head\n\(link.seq)\n\(link.hashText)\n".utf8)
    }

    init(link: AuditLink, kid: String, signature: String) {
        self.link = link
        self.kid = kid
        self.signature = signature
    }

    init(of link: AuditLink, signedBy signer: any HeadSigner) async throws {
        let (bytes, kid) = try await signer.sign(Self.statement(of: link))
        self.init(link: link, kid: kid, signature: Base64URL.encodeToString(bytes))
    }
}

/// Has the last record signed by a key of the token, now and then, and records that.
final class AuditHeads: Sendable {
    private struct State {
        var signer: (any HeadSigner)?
        /// The last signature that was asked for.
        var signing: Task<Void, Never>?
        /// Why the head was not signed the last time it was due.
        var trouble: AuditError?
        /// The record that was last written for a head: while it is the last of all, there is nothing new to sign.
        var record: AuditLink?
        /// The last head that was signed, and when, in milliseconds since 1970.
        var latest: (head: SignedHead, at: Int64)?
        /// When a signature was last due, in nanoseconds of the monotonic clock.
        var signedAt: Int64
    }

    /// The signer, what came of its last signature, and when the next one is due.
    private let state: Locked<State>
    /// Seconds between two signatures; `nil` when heads are not signed.
    private let interval: Int?
    private let writer: AuditWriter
    private let clock: AgentClock
    private let log: Logger

    /// Seconds after which a head is tried again that could not be signed.
    private static let retry = 60
    private static let second: Int64 = 1_000_000_000

    init(every interval: Int?, _ writer: AuditWriter, clock: AgentClock, log: Logger) {
        state = Locked(State(signedAt: clock.monotonic()))
        self.interval = interval
        self.writer = writer
        self.clock = clock
        self.log = log
    }

    /// Why the head was not signed the last time it was due.
    var trouble: AuditError? { state.withLock { $0.trouble } }

    /// Whether heads are to be signed, and there is no signer.
    var lacksSigner: Bool { interval != nil && state.withLock { $0.signer == nil } }

    /// The last head that was signed and is recorded since this log was opened, and when, in milliseconds since 1970.
    var latest: (head: SignedHead, at: Int64)? { state.withLock { $0.latest } }

    /// Has heads signed from now on.
    func use(_ signer: any HeadSigner) {
        state.withLock { $0.signer = signer }
    }

    /// Whether it is time for a signature; the caller asks for one then.
    func takeDue(at now: Int64) -> Bool {
        guard let interval, let last = writer.last else { return false }
        return state.withLock { state in
            let interval = state.trouble == nil ? interval : min(interval, Self.retry)
            // After a quiet time the first record is signed at once: no record is younger than the last head by more than
            // the interval, which is what verification goes by.
            guard last != state.record, now - state.signedAt >= Int64(interval) * Self.second else { return false }
            state.signedAt = now
            return true
        }
    }

    /// Signs the last record and records that; what goes wrong is logged and shown by `trouble`. Returns when it is done, and
    /// does nothing while there is no new record.
    func signLast() async {
        let signing = state.withLock { state in
            let signing = Task { [before = state.signing] in
                await before?.value
                await signLastNow()
            }
            state.signing = signing
            return signing
        }
        await signing.value
    }

    /// Returns once what has been asked for is signed, or cannot be.
    func settled() async {
        await state.withLock { $0.signing }?.value
    }

    private func signLastNow() async {
        let (signer, record) = state.withLock { ($0.signer, $0.record) }
        guard let signer, let last = writer.last, last != record else { return }
        let error = await sign(last, with: signer)
        state.withLock { $0.trouble = error }
        guard let error else { return }
        log.warning("the head of the audit log is not signed", metadata: ["reason": "\(error)", "hint": "\(error.hint)"])
    }

    private func sign(_ link: AuditLink, with signer: any HeadSigner) async -> AuditError? {
        let head: SignedHead
        do {
            head = try await SignedHead(of: link, signedBy: signer)
        } catch {
            return AuditError(
                .unsigned, "the audit key does not sign: \(error)", hint: "check the token; it is tried again by itself")
        }
        if let error = await writer.writeToDisk(.head(head)) { return error }
        state.withLock { [now = clock.wallMilliseconds()] in $0.latest = (head, now) }
        if let last = writer.last, last.seq == link.seq + 1 { state.withLock { $0.record = last } }
        return nil
    }

    /// Records what another agent of the fleet has signed of its own log, on the disk when this returns `nil`.
    ///
    /// It is no reason to sign anew: the logs of agents at rest would have each other grow for ever.
    func witness(_ head: SignedHead, of agent: String, signedAt time: String) async -> AuditError? {
        let before = writer.last
        if let error = await writer.writeToDisk(.witness(head, of: agent, signedAt: time)) { return error }
        guard let before, let last = writer.last, last.seq == before.seq + 1 else { return nil }
        state.withLock { state in
            if state.record == before { state.record = last }
        }
        return nil
    }
}
