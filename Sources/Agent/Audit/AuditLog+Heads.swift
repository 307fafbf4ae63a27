import Logging
import Platform

/// What an audit log knows of the signing of its heads.
struct AuditHeads: Sendable {
    var signer: (any HeadSigner)?
    /// The last signature that was asked for.
    var signing: Task<Void, Never>?
    /// Why the head was not signed the last time it was due.
    var trouble: AuditError?
    /// The record that was last written for a head: while it is the last of all, there is nothing new to sign.
    var record: AuditLink?
}

/// Heads: the last record is signed by a key of the token, now and then, and that is recorded.
extension AuditLog {
    /// Why the head was not signed the last time it was due.
    var headTrouble: AuditError? { heads.withLock { $0.trouble } }

    /// Whether heads are to be signed and nobody does.
    var lacksSigner: Bool { configuration.headInterval != nil && heads.withLock { $0.signer == nil } }

    /// Whether there is a record that no head is for yet, beside a head itself.
    var hasUnsignedRecords: Bool { last != nil && last != heads.withLock { $0.record } }

    /// Has the head signed from now on.
    func signHeads(with signer: any HeadSigner) {
        heads.withLock { $0.signer = signer }
    }

    /// Signs the last record and records that; what goes wrong is logged and shown by `headTrouble`. Returns when it is done,
    /// and does nothing while there is no new record.
    func signHead() async {
        let signing = heads.withLock { heads in
            let signing = Task { [before = heads.signing] in
                await before?.value
                await signLast()
            }
            heads.signing = signing
            return signing
        }
        await signing.value
    }

    /// As `signHead()`, without waiting for it.
    func signHeadSoon() {
        Task { await signHead() }
    }

    private func signLast() async {
        let (signer, record) = heads.withLock { ($0.signer, $0.record) }
        guard let signer, let last, last != record else { return }
        let error = await sign(last, with: signer)
        heads.withLock { $0.trouble = error }
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
        if let error = await durable(.head(head)) { return error }
        if let last, last.seq == link.seq + 1 { heads.withLock { $0.record = last } }
        return nil
    }
}
