import Agent
import ArgumentParser
import DaemonKit
import Foundation
import IssuerStore
import Platform

/// `privyseald audit`
struct AuditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Verify and read audit logs.",
        discussion: """
            The agent records every operation in its audit log, each record with the SHA-256 of the one before, and signs the \
            last one every hour with a key in the token.
            """,
        subcommands: [AuditVerify.self, AuditTailCommand.self, AuditKey.self])
}

/// `privyseald audit verify`
struct AuditVerify: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Find what was changed, removed or put into an audit log.",
        discussion: """
            Takes the files of one log, the oldest first, uncompressed. Prints a line for each finding and one at the end. \
            Without the audit key, a log that somebody wrote anew as a whole is not told from the genuine one; with it, the \
            last line says up to which record the log is proven. What follows that record, or was cut off after it, only the \
            next signature proves.

            Exit status: 0 intact (and proven, with a key), 1 not.

            Example:
              privyseald audit key > audit.pem
              privyseald audit verify audit.log.2 audit.log.1 audit.log --public-key audit.pem
            """)

    @Argument(help: "The files, the oldest first.")
    var files: [String]

    @Option(
        name: .long,
        help: ArgumentHelp(
            "The audit key, as \"privyseald audit key\" prints it. Can be repeated, for keys of former tokens.",
            valueName: "file.pem"))
    var publicKey: [String] = []

    func run() throws {
        do {
            let keys = try publicKey.flatMap { path in
                try AuditPublicKey.keys(pem: String(decoding: RegularFile.read(path: path, limit: 1 << 16), as: UTF8.self))
            }
            var verification = AuditVerification(publicKeys: keys)
            try verification.read(files)
            for finding in verification.findings { print(finding) }
            print(Self.conclusion(of: verification, hasKey: !keys.isEmpty))
            if !verification.isIntact { throw ExitCode(1) }
        } catch let code as ExitCode {
            throw code
        } catch {
            try StartupFailure(mapping: error).end()
        }
    }

    private static func conclusion(of verification: AuditVerification, hasKey: Bool) -> String {
        guard let first = verification.first, let last = verification.last else {
            return verification.isIntact ? "intact: no records" : "NOT INTACT: no records"
        }
        let records = "\(verification.records) records, \(first) to \(last), the last of \(verification.lastTime ?? "-")"
        let proof =
            if let proven = verification.proof {
                "proven up to record \(proven.seq), signed \(proven.time)"
            } else if hasKey {
                "nothing of it is proven: it has no head with a valid signature by this key"
            } else {
                "without the audit key nothing of it is proven"
            }
        let elsewhere = verification.unverifiedHeads
        let heads = elsewhere == 0 ? "" : "; signatures for records in other files: \(elsewhere)"
        let count = verification.findings.count
        let more = count >= AuditVerification.mostFindings ? " or more, reading ended there" : ""
        return switch (verification.isIntact, count) {
        case (true, _): "intact: \(records); \(proof)\(heads)"
        case (false, 0): "NOT PROVEN: \(records); \(proof)\(heads)"
        default: "NOT INTACT: \(count) finding\(count == 1 ? "" : "s")\(more); \(records); \(proof)\(heads)"
        }
    }
}

/// `privyseald audit key`
struct AuditKey: OperatorCommand {
    static let configuration = CommandConfiguration(
        commandName: "key",
        abstract: "Print the public half of the audit key.",
        discussion: """
            Reads the key from the token, without logging in where the token shows it to anybody. Keep the output away from \
            the machine: who verifies a log needs the genuine one.
            """)

    @Option(name: .long, help: ArgumentHelp("The agent's configuration file.", valueName: "file"))
    var config = "/etc/privyseal/agent.yaml"

    func run(_ startup: Startup) async throws {
        let store = try startup.readStore()
        let keys = try await AuditPublicKey.onToken(
            startup.agentConfiguration(), store: store, deployment: store.deployment.id,
            environment: startup.agentEnvironment())
        guard !keys.isEmpty else {
            throw StartupFailure(
                what: "the token shows no audit key of this deployment",
                todo: "start the agent once: it makes the key; its log says why if it cannot")
        }
        for key in keys {
            print("kid: \(key.kid)")
            print(key.pem)
        }
    }
}
