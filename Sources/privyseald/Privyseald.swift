import AgentProtocol
import ArgumentParser
import DaemonKit

@main
struct Main {
    @MainActor
    static func main() async {
        ProcessStart.harden()
        await Privyseald.main()
    }
}

/// The agent: keeps signing keys in an HSM token and answers requests for signatures on a Unix socket.
struct Privyseald: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "privyseald",
        abstract: "The PrivySeal agent: token-signing keys in an HSM, served on a Unix socket.",
        discussion: """
            The agent logs in to one PKCS#11 token, keeps the keys of its issuers there, and signs JWTs for the processes \
            that may ask it to. Private keys never leave the token. It opens no network port: privyseal-issuer publishes \
            the public documents.

            Prepare a token with "privyseald token init", write a configuration file, make the store with "privyseald init", \
            look it all over with "privyseald check", then run "privyseald serve".

            Every operation is recorded in the audit log: "audit tail" shows it, "audit verify" says whether it was altered.

            For the worst day: "backup" copies the store while the agent runs; "reconcile" says how store and token stand to \
            each other; "recover" brings a lost or restored store and its token together; "replace-token" moves the issuers to \
            another token when theirs is gone for good. "store move" brings a store from a file to etcd, or back.

            Exit status: 0 done, 1 failed, 64 usage, 75 the PKCS#11 module hangs, 77 the token refused the PIN, 78 the \
            configuration is wrong. After 75 starting again helps; after 77 and 78 not before something was corrected.
            """,
        version: ProtocolVersion.agent,
        subcommands: [
            InitializeCommand.self, ServeCommand.self, CheckCommand.self, TokenCommand.self, AccessCommand.self,
            AuditCommand.self, ReconcileCommand.self,
            BackupCommand.self, StoreCommand.self,
            RecoverCommand.self,
            ReplaceTokenCommand.self,
        ])
}

/// Exit statuses beside 0 and 1 (sysexits(3)).
enum ExitStatus {
    /// The token refused the PIN. Units name it in `RestartPreventExitStatus=`.
    static let pinRefused: Int32 = 77
    /// A call into the PKCS#11 module never returned: starting again is what helps.
    static let stuck: Int32 = 75
}
