import AgentProtocol

/// A line of the log, as far as the chain is concerned.
struct AuditLine: Sendable {
    let seq: UInt64
    let prev: [UInt8]
    let hash: [UInt8]
    /// RFC 3339, with milliseconds.
    let time: String
    /// The same in seconds since 1970.
    let seconds: Int64
    let kind: Kind

    enum Kind: Sendable {
        case operation
        case start
        case note
        case head(SignedHead)
        /// Whose log this is.
        case agent(String)
        case change(AuditChange)
        /// A head of another agent's log.
        case witness(of: String, SignedHead)
    }

    var link: AuditLink { AuditLink(seq: seq, hash: hash) }

    /// `nil` for what is no record of this log.
    init?(_ line: ArraySlice<UInt8>) {
        guard let members = try? JSONValue(parsing: Array(line)).decode(Members.self), members.seq >= 0,
            let prev = [UInt8](hexadecimal: members.prev), prev.count == 32,
            let time = WireTime(members.time.prefix(19) + "Z")
        else { return nil }
        switch members.type {
        case nil: kind = .operation
        case "start": kind = .start
        case "note": kind = .note
        case "head":
            guard let head = members.head else { return nil }
            kind = .head(head)
        case "agent":
            guard let agent = members.agent else { return nil }
            kind = .agent(agent)
        case "change":
            guard let change = members.change else { return nil }
            kind = .change(change)
        case "witness":
            guard let agent = members.agent, let head = members.head else { return nil }
            kind = .witness(of: agent, head)
        default: return nil
        }
        seq = UInt64(members.seq)
        self.prev = prev
        self.time = members.time
        seconds = time.seconds
        hash = AuditChain.hash(line)
    }

    private struct Members: Decodable {
        let seq: Int64
        let time: String
        let prev: String
        let type: String?
        let signedSeq: Int64?
        let signedHash: String?
        let kid: String?
        let signature: String?
        let agent: String?
        let step: String?
        let issuer: String?
        let generation: Int?
        let created: Bool?
        let deleted: Bool?
        let revision: Int64?

        var change: AuditChange? {
            guard let step = step.flatMap(AuditChange.Step.init), generation ?? 0 >= 0 else { return nil }
            var change = AuditChange(step, issuer: issuer, generation: generation)
            (change.isCreation, change.isDeletion) = (created ?? false, deleted ?? false)
            change.revision = revision
            return change
        }

        var head: SignedHead? {
            guard let signedSeq, signedSeq >= 0, let hash = signedHash.flatMap({ [UInt8](hexadecimal: $0) }), hash.count == 32,
                let kid, let signature
            else { return nil }
            return SignedHead(link: AuditLink(seq: UInt64(signedSeq), hash: hash), kid: kid, signature: signature)
        }
    }
}

extension [UInt8] {
    /// `nil` unless the text is pairs of lower-case hexadecimal digits.
    init?(hexadecimal text: String) {
        func value(_ digit: UInt8) -> UInt8? {
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
            default: nil
            }
        }
        let digits = Array(text.utf8)
        guard digits.count % 2 == 0 else { return nil }
        self = []
        reserveCapacity(digits.count / 2)
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = value(digits[index]), let low = value(digits[index + 1]) else { return nil }
            append(high << 4 | low)
        }
    }
}
