import Foundation
import StrictJSON

/// A record as people read it.
struct AuditRow: CustomStringConvertible {
    let description: String

    /// What cannot be read is shown as it is, without what a terminal would take for a command.
    init(_ line: String) {
        guard let record = try? JSONDecoder().decode(Record.self, from: Data(line.utf8)) else {
            description = "? \(Self.printable(line))"
            return
        }
        let caller = record.uid.map { uid in record.user ?? "uid \(uid)" } ?? "-"
        let cells = [
            (record.time, 24), ("\(record.seq)", 8), (record.outcome ?? record.type ?? "-", 9), (caller, 16),
            (record.method ?? "-", 14), (record.issuer ?? "-", 12),
        ]
        let columns = cells.map { text, width in text.padding(to: width) }
        description = Self.printable((columns + record.details).joined(separator: " "))
    }

    private static func printable(_ text: String) -> String {
        var shown = ""
        for scalar in text.unicodeScalars {
            if scalar.isHidden {
                shown += "\\u{\(String(scalar.value, radix: 16))}"
            } else {
                shown.unicodeScalars.append(scalar)
            }
        }
        return String(shown.reversed().drop { $0 == " " }.reversed())
    }

    private struct Record: Decodable {
        let seq: Int64
        let time: String
        let type: String?
        let uid: UInt32?
        let user: String?
        let pid: Int32?
        let exe: String?
        let method: String?
        let issuer: String?
        let kid: String?
        let jti: String?
        let sub: String?
        let aud: [String]?
        let lifetime: Int64?
        let outcome: String?
        let reason: String?
        let micros: Int64?
        let count: Int64?
        let note: String?
        let signedSeq: Int64?
        let agent: String?
        let step: String?
        let generation: Int64?
        let revision: Int64?
        let added: [String]?
        let ended: [String]?
        let keyID: String?

        var details: [String] {
            var details: [String] = []
            func add(_ name: String, _ value: String?) {
                if let value { details.append("\(name)=\(value)") }
            }
            add("sub", sub)
            add("aud", aud.map { $0.joined(separator: ",") })
            add("lifetime", lifetime.map { "\($0)s" })
            add("kid", kid)
            add("jti", jti)
            add("pid", pid.map { "\($0)" })
            add("exe", exe)
            add("took", micros.map { "\($0)us" })
            add("count", count.map { "\($0)" })
            add("agent", agent)
            add("signed", signedSeq.map { "\($0)" })
            add("step", step)
            add("generation", generation.map { "\($0)" })
            add("revision", revision.map { "\($0)" })
            add("added", added.map { $0.joined(separator: ",") })
            add("ended", ended.map { $0.joined(separator: ",") })
            add("keyID", keyID)
            if let reason { details.append("(\(reason))") }
            if let note { details.append(note) }
            return details
        }
    }
}

extension String {
    /// With spaces up to a width.
    fileprivate func padding(to width: Int) -> String {
        self + String(repeating: " ", count: max(width - count, 0))
    }
}
