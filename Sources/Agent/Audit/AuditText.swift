import AgentProtocol
import StrictJSON

/// The members of a record after `prev`, as JSON text in their fixed order: `,"uid":…}`.
///
/// By hand, since a record is made for every signature.
struct AuditText: Sendable {
    private(set) var bytes: [UInt8] = []

    /// Bytes of a string that are recorded; the rest is counted.
    static let longestString = 256
    /// Audiences that are recorded; the rest is counted.
    static let mostAudiences = 16

    /// A record of an operation.
    ///
    /// - Parameter count: how many like it the record stands for.
    init(_ record: AuditRecord, executable: String?, count: Int? = nil) {
        bytes.reserveCapacity(512)
        add(#","uid":"#, Int64(record.caller.uid))
        add(#","user":"#, record.caller.user)
        add(#","gid":"#, Int64(record.caller.gid))
        add(#","pid":"#, Int64(record.caller.pid))
        add(#","exe":"#, executable)
        add(#","method":"#, record.method.rawValue)
        add(#","issuer":"#, record.issuer)
        add(#","kid":"#, record.kid)
        add(#","jti":"#, record.jti)
        add(#","sub":"#, record.sub)
        add(#","aud":"#, record.aud)
        add(#","lifetime":"#, record.lifetime.map(Int64.init))
        if record.isDryRun { add(#","dryRun":"#, true) }
        add(#","effect":"#, record.effect)
        add(#","revoked":"#, record.revoked)
        add(#","outcome":"#, record.outcome.rawValue)
        add(#","reason":"#, record.reason)
        add(#","micros":"#, record.durationMicroseconds.map(Int64.init))
        add(#","count":"#, count.map(Int64.init))
        bytes.append(UInt8(ascii: "}"))
    }

    /// The log begins, with nothing before it.
    static let start = AuditText(type: "start")

    /// What the log has to say of itself.
    static func note(_ text: String) -> AuditText {
        AuditText(type: "note") { $0.add(#","note":"#, text) }
    }

    static func head(_ head: SignedHead) -> AuditText {
        AuditText(type: "head") { text in
            text.add(#","signedSeq":"#, Int64(head.link.seq))
            text.add(#","signedHash":"#, head.link.hashText)
            text.add(#","kid":"#, head.kid)
            text.add(#","signature":"#, whole: head.signature)
        }
    }

    /// Whose log this is, of those of a fleet. At each start, and at the beginning of each file.
    static func agent(_ id: String, deployment: String) -> AuditText {
        AuditText(type: "agent") { text in
            text.add(#","agent":"#, id)
            text.add(#","deployment":"#, deployment)
        }
    }

    /// A change in a store that several agents share.
    static func change(_ change: AuditChange) -> AuditText {
        AuditText(type: "change") { text in
            text.add(#","step":"#, change.step.rawValue)
            text.add(#","issuer":"#, change.issuer)
            text.add(#","generation":"#, change.generation.map(Int64.init))
            if change.isCreation { text.add(#","created":"#, true) }
            if change.isDeletion { text.add(#","deleted":"#, true) }
            text.add(#","revision":"#, change.revision)
            text.add(#","added":"#, change.added)
            text.add(#","ended":"#, change.ended)
            text.add(#","keyID":"#, change.keyID)
        }
    }

    /// What another agent of the fleet has signed of its own log.
    ///
    /// - Parameter time: when it has, by its clock; RFC 3339.
    static func witness(_ head: SignedHead, of agent: String, signedAt time: String) -> AuditText {
        AuditText(type: "witness") { text in
            text.add(#","agent":"#, agent)
            text.add(#","signedSeq":"#, Int64(clamping: head.link.seq))
            text.add(#","signedHash":"#, head.link.hashText)
            text.add(#","signedAt":"#, time)
            text.add(#","kid":"#, head.kid)
            text.add(#","signature":"#, whole: head.signature)
        }
    }

    private init(type: String, _ more: (inout AuditText) -> Void = { _ in }) {
        add(#","type":"#, type)
        more(&self)
        bytes.append(UInt8(ascii: "}"))
    }

    // MARK: - Members, each with its name as it stands in the text

    private mutating func add(_ name: String, _ value: Int64?) {
        guard let value else { return }
        bytes += name.utf8
        bytes.append(decimal: value)
    }

    private mutating func add(_ name: String, _ value: Bool) {
        bytes += name.utf8
        bytes += (value ? "true" : "false").utf8
    }

    private mutating func add(_ name: String, _ value: String?) {
        guard let value else { return }
        bytes += name.utf8
        append(value)
    }

    /// A text of the agent's own, of which nothing may be missing.
    private mutating func add(_ name: String, whole value: String) {
        bytes += name.utf8
        bytes.append(UInt8(ascii: "\""))
        bytes.append(value, escaping: .numbers)
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func add(_ name: String, _ values: [String]) {
        guard !values.isEmpty else { return }
        bytes += name.utf8
        bytes.append(UInt8(ascii: "["))
        for (index, value) in values.prefix(Self.mostAudiences).enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            append(value)
        }
        if values.count > Self.mostAudiences {
            bytes.append(UInt8(ascii: ","))
            append("…+\(values.count - Self.mostAudiences)")
        }
        bytes.append(UInt8(ascii: "]"))
    }

    /// A long string is cut between two characters and marked with the number of bytes left out.
    private mutating func append(_ string: String) {
        bytes.append(UInt8(ascii: "\""))
        let length = string.utf8.count
        if length <= Self.longestString {
            bytes.append(string, escaping: .numbers)
        } else {
            var end = string.utf8.index(string.utf8.startIndex, offsetBy: Self.longestString)
            while string.utf8[end] & 0xC0 == 0x80 { end = string.utf8.index(before: end) }
            bytes.append(String(string[..<end]), escaping: .numbers)
            bytes += "…+\(string.utf8.distance(from: end, to: string.utf8.endIndex))".utf8
        }
        bytes.append(UInt8(ascii: "\""))
    }
}

private func hexadecimalDigit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
}

extension [UInt8] {
    /// Two lower-case digits for each byte.
    mutating func append(hexadecimal values: [UInt8]) {
        for value in values {
            append(hexadecimalDigit(value >> 4))
            append(hexadecimalDigit(value & 15))
        }
    }
}
