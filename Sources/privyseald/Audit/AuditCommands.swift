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
        subcommands: [AuditVerifyCommand.self, AuditTailCommand.self, AuditHeadCommand.self, AuditKeyCommand.self])
}

/// `privyseald audit head`
struct AuditHeadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "head",
        abstract: "Print the last record's number and hash, to be noted elsewhere.",
        discussion: """
            What is noted away from the machine shows later whether the log up to that record is still what it was: give it to \
            "privyseald audit verify" with --expect-head. Take one whenever a file of the log is given up, and as often as you \
            want to be sure.

            Example:
              privyseald audit head /var/log/privyseal/audit.log
            """)

    @Argument(help: "The newest file.")
    var file: String

    func run() throws {
        do {
            print(try KnownHead.last(in: file))
        } catch {
            try StartupFailure(mapping: error).end()
        }
    }
}

/// `privyseald audit key`
struct AuditKeyCommand: OperatorCommand {
    static let configuration = CommandConfiguration(
        commandName: "key",
        abstract: "Print the public half of the audit key.",
        discussion: """
            Reads the key from the token, without logging in where the token shows it to anybody. Keep the output away from \
            the machine: who verifies a log needs the genuine one. Of agents that share a token each has a key of its own; all \
            of them are printed.
            """)

    @Option(name: .long, help: ArgumentHelp("The agent's configuration file.", valueName: "file"))
    var config = "/etc/privyseal/agent.yaml"

    func run(_ startup: Startup) async throws {
        let keys = try await OpenStore.with({ try await startup.readStore() }) { store in
            try await AuditPublicKey.onToken(
                startup.agentConfiguration(), store: store, deployment: store.deployment.id,
                environment: startup.agentEnvironment())
        }
        guard !keys.isEmpty else {
            throw StartupFailure(
                what: "the token shows no audit key of this deployment",
                todo: "start the agent once: it makes the key; its log says why if it cannot")
        }
        for key in keys {
            if let agent = key.agent { print("agent: \(agent)") }
            print("kid: \(key.kid)")
            print(key.pem)
        }
    }
}
