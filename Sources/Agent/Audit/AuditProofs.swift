/// What vouches for the records of a log: heads signed by the audit key, and records that were noted elsewhere.
struct AuditProofs: Sendable {
    /// What is left to say once everything has been read.
    enum End {
        case doubt(AuditVerification.Doubt)
        /// Something that was there is not there any more.
        case missing(String)
    }

    private(set) var latest: AuditVerification.Proof?

    private let keys: [AuditPublicKey]
    private let interval: Int64
    private let known: [UInt64: Set<[UInt8]>]
    /// Numbers of the known heads that have been seen to be what they were.
    private var seen: Set<UInt64> = []
    /// The first record that was read: its number, and what it names as the one before it.
    private var beginning: (seq: UInt64, prev: [UInt8])?
    private var window = LinkWindow()
    /// Whose log it says it is.
    private var agent: String?
    /// Seconds since 1970: of the last proof, and the latest of a record since.
    private var provenAt: Int64?
    private var latestSince: Int64?
    /// Of heads with a good signature that prove nothing, each with what is wrong.
    private var oddHeads: [String] = []

    /// Seconds by which a head may be late: one that could not be signed is tried again every minute.
    private static let patience: Int64 = 300

    init(keys: [AuditPublicKey], known: [KnownHead], interval: Int64) {
        self.keys = keys
        self.interval = interval
        self.known = Dictionary(known.map { ($0.link.seq, [$0.link.hash]) }, uniquingKeysWith: { $0.union($1) })
    }

    /// Takes the next record.
    ///
    /// - Returns: what of it is not as it was vouched for.
    mutating func take(_ record: AuditLine) -> [String] {
        if beginning == nil { beginning = (record.seq, record.prev) }
        window.add(record.link)
        switch record.kind {
        // What others have signed is noted without being signed at once: nobody could gain by such a record.
        case .witness: break
        default: latestSince = max(latestSince ?? record.seconds, record.seconds)
        }
        if case .agent(let agent) = record.kind { self.agent = agent }
        var findings: [String] = []
        if let hashes = known[record.seq] {
            seen.insert(record.seq)
            if hashes == [record.link.hash] {
                prove(record.seq, by: record, isSigned: false)
            } else {
                findings.append("record \(record.seq) is not the one that was noted elsewhere: the log was written anew")
            }
        }
        if case .head(let head) = record.kind, let finding = judge(head, of: record) { findings.append(finding) }
        return findings
    }

    private mutating func judge(_ head: SignedHead, of record: AuditLine) -> String? {
        guard !keys.isEmpty else { return nil }
        guard keys.contains(where: { $0.kid == head.kid && $0.hasSigned(head) }) else {
            return keys.contains { $0.kid == head.kid }
                ? "the signature of head record \(record.seq) is not valid"
                : "head record \(record.seq) is signed by another key, \(head.kid)"
        }
        if let agent, let other = keys.first(where: { $0.kid == head.kid })?.agent, other != agent {
            return "head record \(record.seq) is signed by the audit key of agent \(other), and the log is that of \(agent)"
        }
        let signed = head.link.seq
        guard signed < record.seq else {
            oddHeads.append("head record \(record.seq) is for record \(signed), which no log had before it")
            return nil
        }
        switch window.hash(of: signed) {
        case head.link.hash:
            prove(signed, by: record, isSigned: true)
        case nil where beginning.map { signed >= $0.seq } ?? false:
            oddHeads.append("head record \(record.seq) is for record \(signed), which is not there")
        case nil:
            // Of a file before the first that was given.
            break
        default:
            return "record \(signed) is not the one that head record \(record.seq) was signed for: the log was written anew"
        }
        return nil
    }

    private mutating func prove(_ seq: UInt64, by record: AuditLine, isSigned: Bool) {
        guard latest.map({ $0.seq <= seq }) ?? true else { return }
        latest = AuditVerification.Proof(seq: seq, time: record.time, isSigned: isSigned)
        provenAt = record.seconds
        latestSince = record.seconds
    }

    /// What is missing, and what is not proven, once all has been read.
    func end(last: UInt64?) -> [End] {
        guard let last, let beginning else {
            return known.isEmpty
                ? [.doubt(AuditVerification.Doubt(message: "there is nothing to prove", hint: "give the files of the log"))]
                : known.keys.sorted().map { .missing("record \($0), noted elsewhere, is not there: there are no records") }
        }
        var ends: [End] = []
        var isBeginningKnown = beginning.seq == 0
        for (seq, hashes) in known.sorted(by: { $0.key < $1.key }) where !seen.contains(seq) {
            if seq > last {
                ends.append(.missing("record \(seq), noted elsewhere, is not there: the log ends with record \(last)"))
            } else if seq + 1 == beginning.seq, hashes == [beginning.prev] {
                isBeginningKnown = true
            } else if seq + 1 == beginning.seq {
                ends.append(.missing("record \(beginning.seq) does not follow record \(seq) as it was noted elsewhere"))
            } else if seq >= beginning.seq {
                ends.append(.missing("record \(seq), noted elsewhere, is not there"))
            }
        }
        if let doubt = doubtOfProof { ends.append(.doubt(doubt)) }
        if !isBeginningKnown { ends.append(.doubt(Self.late(beginning.seq))) }
        if let odd = oddHeads.first {
            let more = oddHeads.count == 1 ? "" : " (and \(oddHeads.count - 1) more like it)"
            ends.append(
                .doubt(
                    AuditVerification.Doubt(
                        message: odd + more,
                        hint:
                            "compare with a copy of the log kept elsewhere: records were taken out, or the head is from another log"
                    )))
        }
        return ends
    }

    private var doubtOfProof: AuditVerification.Doubt? {
        guard let latest else {
            return keys.isEmpty
                ? AuditVerification.Doubt(
                    message: "without the audit key nothing of it is proven",
                    hint: "give the key with --public-key, as \"privyseald audit key\" printed it, or a head noted elsewhere")
                : AuditVerification.Doubt(
                    message: "nothing of it is proven: it has no head with a valid signature by this key",
                    hint: "check that it is this log's key; a log is proven from its first head on")
        }
        guard let provenAt, let latestSince, latestSince - provenAt > interval + Self.patience else { return nil }
        return AuditVerification.Doubt(
            message: "its last records are \((latestSince - provenAt) / 60) minutes younger than the last proof, "
                + "and a head is signed every \(interval / 60) minutes",
            hint:
                "give the newest file too, and --head-interval if audit.head is not \(interval)s; otherwise what follows record "
                + "\(latest.seq) may have been written anew")
    }

    private static func late(_ seq: UInt64) -> AuditVerification.Doubt {
        let missing = seq == 1 ? "record 0 is" : "records 0 to \(seq - 1) are"
        return AuditVerification.Doubt(
            message: "\(missing) not there",
            hint:
                "give the files before this one too, the oldest first; if they were given up, the head that was noted of their end "
                + "(--expect-head \(seq - 1):…)")
    }
}

/// The hashes of the last records, for heads to be compared with.
private struct LinkWindow: Sendable {
    private var links: [AuditLink?] = []

    /// A head is written long before so many records have come after the one it is for.
    static let size = 1 << 17

    mutating func add(_ link: AuditLink) {
        let place = Int(link.seq % UInt64(Self.size))
        while links.count <= place { links.append(nil) }
        links[place] = link
    }

    func hash(of seq: UInt64) -> [UInt8]? {
        let place = Int(seq % UInt64(Self.size))
        guard place < links.count, let link = links[place], link.seq == seq else { return nil }
        return link.hash
    }
}
