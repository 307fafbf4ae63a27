import Agent
import ArgumentParser
import DaemonKit
import Foundation
import Platform

/// `privyseald audit verify`
struct AuditVerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Find what was changed, removed or put into an audit log, and how much of it is proven.",
        discussion: """
            Takes the files of one log, the oldest first, plain or compressed by gzip. Prints a line for each finding and one at \
            the end; for a log that is not proven, another with what to do.

            A log is proven when nothing in it was changed, it begins with record 0 or after a head that was noted elsewhere, and \
            the last signature by the audit key is no older beside the newest record than the agent's interval allows. What \
            follows the last signature, or was cut off after it, only the next one proves, or a head noted elsewhere.

            Given the files of the logs of several agents that share a store, those of each in their order, it verifies each log, \
            and all of them against each other: the signed heads that each agent has noted of the others have to stand in those \
            others' logs, and each generation of an issuer in one log and no other. Take the logs of all agents, copied at about \
            the same time.

            Exit status: 0 proven, 1 not intact (something was changed or is missing, or a file cannot be read), 4 not proven.

            Examples:
              privyseald audit key > audit.pem
              privyseald audit verify audit.log.2.gz audit.log.1 audit.log --public-key audit.pem
              privyseald audit verify audit.log --public-key audit.pem --expect-head 4710:9f86…
              privyseald audit verify a/audit.log.1 a/audit.log b/audit.log c/audit.log --public-key audit.pem
            """)

    /// What neither 0 nor 1 says: nothing shows a change, and nothing shows that there was none.
    private static let unproven: Int32 = 4

    @Argument(help: "The files, those of each log the oldest first.")
    var files: [String]

    @Option(
        name: .long,
        help: ArgumentHelp(
            "The audit key, as \"privyseald audit key\" prints it. Can be repeated, for keys of former tokens.",
            valueName: "file.pem"))
    var publicKey: [String] = []

    @Option(
        name: .long,
        help: ArgumentHelp(
            "A record as \"privyseald audit head\" printed it earlier. Can be repeated. One of the record before the first file is "
                + "what says that earlier files were given up. With the logs of several agents it says of which: AGENT=number:hash.",
            valueName: "[agent=]number:hash"))
    var expectHead: [String] = []

    @Option(name: .long, help: ArgumentHelp("How often heads are signed: audit.head of the agent.", valueName: "duration"))
    var headInterval = "1h"

    func run() throws {
        let heads = try expectHead.map { text in
            guard let head = KnownHead(text) else {
                throw ValidationError("\"\(text)\" is no number and hash, as \"privyseald audit head\" prints them")
            }
            return head
        }
        let interval: Int64
        do throws(PlatformError) {
            interval = try DurationText.parse(headInterval)
        } catch {
            throw ValidationError("--head-interval: \(error.message); \(error.hint)")
        }
        do {
            let keys = try publicKey.flatMap { path in
                try AuditPublicKey.keys(pem: String(decoding: RegularFile.read(path: path, limit: 1 << 16), as: UTF8.self))
            }
            var verification = FleetAuditVerification(
                publicKeys: keys, expecting: heads, headInterval: Int(min(interval, 86_400 * 365)))
            try verification.read(files)
            Self.show(verification)
            switch verification.verdict {
            case .proven: break
            case .notIntact: throw ExitCode(1)
            case .unproven: throw ExitCode(Self.unproven)
            }
        } catch let code as ExitCode {
            throw code
        } catch {
            try StartupFailure(mapping: error).end()
        }
    }

    private static func show(_ verification: FleetAuditVerification) {
        for log in verification.logs {
            for finding in log.verification.findings { print(finding) }
            print((verification.logs.count > 1 ? "\(log.name): " : "") + conclusion(of: log.verification))
        }
        if verification.logs.count > 1 {
            for finding in verification.findings { print(finding) }
            for remark in verification.remarks { print("note: \(remark)") }
            print(conclusion(of: verification))
        }
        guard verification.verdict == .unproven else { return }
        var hints: [String] = []
        for doubt in verification.logs.flatMap(\.verification.doubts) + verification.doubts where !hints.contains(doubt.hint) {
            hints.append(doubt.hint)
        }
        print("hint: \(hints.joined(separator: "; "))")
    }

    private static func conclusion(of verification: FleetAuditVerification) -> String {
        let count = verification.findings.count + verification.logs.reduce(0) { $0 + $1.verification.findings.count }
        let (changes, issuers) = verification.changes
        let parts =
            [
                "\(verification.logs.count) logs, \(changes) changes of \(issuers) issuer\(issuers == 1 ? "" : "s")",
                "\(verification.confirmedHeads) heads of one log noted in another stand in their own",
            ] + verification.doubts.map(\.message)
        return "the fleet: " + verdict(verification.verdict, findings: count) + parts.joined(separator: "; ")
    }

    private static func verdict(_ verdict: AuditVerification.Verdict, findings count: Int, more: String = "") -> String {
        switch verdict {
        case .proven: "intact: "
        case .unproven: "NOT PROVEN: "
        case .notIntact: "NOT INTACT: \(count) finding\(count == 1 ? "" : "s")\(more); "
        }
    }

    private static func conclusion(of verification: AuditVerification) -> String {
        let count = verification.findings.count
        let more = count >= AuditVerification.mostFindings ? " or more, reading ended there" : ""
        let verdict = verdict(verification.verdict, findings: count, more: more)
        var parts: [String] = []
        if let first = verification.first, let last = verification.last {
            parts.append("\(verification.records) records, \(first) to \(last), the last of \(verification.lastTime ?? "-")")
        } else {
            parts.append("no records")
        }
        if let proof = verification.proof {
            parts.append("proven up to record \(proof.seq), \(proof.isSigned ? "signed" : "noted elsewhere, of") \(proof.time)")
        }
        parts += verification.doubts.map(\.message)
        return verdict + parts.joined(separator: "; ")
    }
}
