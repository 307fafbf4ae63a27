import AgentProtocol
import IssuerStore
import Logging
import Platform

/// Shows the other agents the last signed head of this agent's audit log, and keeps theirs in it: a log that is cut off or written anew
/// shows in the others.
///
/// What is kept of an agent is one record a minute at most, and none while its log stays as it is.
actor HeadExchange {
    /// How often it is looked whether there is a head to be shown.
    private static let publication = Duration.seconds(10)
    /// How often the others' heads are looked at.
    private static let interval = Duration.seconds(60)
    /// Agents whose heads are kept. Whoever can write to the store could name any number.
    private static let most = 100

    private let store: any SharedIssuerStorage
    private let audit: AuditLog
    private let clock: AgentClock
    private let log: Logger
    private var published: SignedHead?
    /// By agent, what was last seen and recorded of it.
    private var known: [String: AuditLink] = [:]
    private var hasLooked = false
    private var tasks: [Task<Void, Never>] = []

    init(store: any SharedIssuerStorage, audit: AuditLog, clock: AgentClock, log: Logger) {
        self.store = store
        self.audit = audit
        self.clock = clock
        self.log = log
    }

    /// Goes on from now on. To be called when the agent has joined the fleet.
    func start() {
        tasks = [
            every(Self.publication) { [weak self] in await self?.publish() },
            every(Self.interval) { [weak self] in await self?.look() },
        ]
    }

    /// Does nothing more by itself.
    func stop() {
        for task in tasks { task.cancel() }
        tasks = []
    }

    /// Shows the head that was signed last, unless it has been shown.
    func publish() async {
        // What was shown by the start before has to be seen first.
        guard hasLooked, let (head, moment) = audit.heads.latest, head != published else { return }
        do {
            try await store.publish(PublishedHead(head, of: store.agent, signedAt: moment))
            published = head
        } catch {
            log.debug("the fleet could not be shown the head of the audit log", metadata: ["reason": "\(error)"])
        }
    }

    /// Records the others' heads that have moved, and reports those that went back.
    func look() async {
        let heads: [PublishedHead]
        do {
            heads = try await store.heads()
        } catch {
            return log.debug("the heads of the fleet's audit logs could not be read", metadata: ["reason": "\(error)"])
        }
        if !hasLooked {
            for head in heads where head.agent == store.agent { checkOwn(head) }
            hasLooked = true
        }
        for head in heads where head.agent != store.agent { await take(head) }
    }

    private func take(_ published: PublishedHead) async {
        // What is not in the form of a head is not one that an agent has shown.
        guard let head = SignedHead(published) else { return }
        let (agent, before) = (published.agent, known[published.agent])
        guard head.link != before, before != nil || known.count < Self.most else { return }
        known[agent] = head.link
        if let before, head.link.seq <= before.seq {
            let what = head.link.seq == before.seq ? "another record \(before.seq)" : "record \(head.link.seq)"
            audit.report(
                "the audit log of agent \(agent) went back: it shows a signed head of \(what) now, and showed one of record "
                    + "\(before.seq) before")
        }
        let time = WireTime(seconds: published.signedAt / 1_000).text
        // What could not be recorded is tried again at the next look.
        if await audit.heads.witness(head, of: agent, signedAt: time) != nil { known[agent] = before }
    }

    /// Whether this log still has the record whose head the agent showed before it was started.
    private func checkOwn(_ published: PublishedHead) {
        guard let head = SignedHead(published) else { return }
        let last = audit.openedAfter
        guard last.map({ head.link.seq > $0.seq || (head.link.seq == $0.seq && head.link.hash != $0.hash) }) ?? true else {
            return
        }
        let end = last.map { "ended with \(head.link.seq == $0.seq ? "another record" : "record") \($0.seq)" } ?? "was not there"
        audit.report(
            "the audit log of this agent was cut off or written anew while it did not run: it has shown a signed head of record "
                + "\(head.link.seq), and the log \(end)")
    }
}

extension PublishedHead {
    fileprivate init(_ head: SignedHead, of agent: String, signedAt moment: Int64) {
        self.init(
            agent: agent, seq: head.link.seq, hash: head.link.hashText, kid: head.kid, signature: head.signature, signedAt: moment
        )
    }
}

extension SignedHead {
    /// The longest kid and signature that any audit key gives, and more.
    private static let longest = 1_024

    /// `nil` for what is in no form that a head has, or would not fit in a record.
    init?(_ head: PublishedHead) {
        guard head.seq < UInt64(Int64.max), let hash = [UInt8](hexadecimal: head.hash), hash.count == AuditChain.origin.count,
            head.kid.utf8.count <= 256, head.signature.utf8.count <= Self.longest, !head.agent.isEmpty,
            head.agent.utf8.count <= 256,
            head.signedAt >= 0, head.signedAt < 253_402_300_800_000
        else { return nil }
        self.init(link: AuditLink(seq: head.seq, hash: hash), kid: head.kid, signature: head.signature)
    }
}
