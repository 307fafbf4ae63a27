import AgentProtocol
import ArgumentParser
import Foundation
import Glibc

/// The root command.
struct PrivySeal: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "privyseal",
        abstract: "Create OIDC issuers, get JWTs signed, rotate signing keys: the client of the PrivySeal agent.",
        discussion: """
            Every command is one conversation with the agent over its Unix socket; the private keys stay in the agent's HSM \
            token. The socket is --socket, else PRIVYSEAL_SOCKET, else \(SocketOptions.defaultPath).

            A first tour:
              privyseal issuer create demo --enable-oidc-issuer
              privyseal issuer show demo --query oidcIssuerProfile.issuerUrl -o tsv
              privyseal jwt issue demo --subject me --audience api | privyseal jwt verify
              privyseal rotate demo --dry-run

            Output:
              -o table   for people (the default)
              -o json    the agent's reply, its members in the agent's order
              -o tsv     values only, separated by tabs, a line for each entry of a list
              --query    one part of the result: member names and positions joined by
                         dots, as in oidcIssuerProfile.issuerUrl or keys.0.kid
            A part that is not there is null: json prints null, the others print nothing, and the exit code is 0.

            Results go to standard output; questions, warnings and errors go to standard error.

            Commands that endanger JWTs already in use ask first. They ask only on a terminal; anywhere else they refuse \
            unless --yes is given.

            Exit codes:
              0  done
              1  refused or failed
              2  the command line is wrong
              3  the agent cannot be reached, or does not answer within --timeout
              4  the JWT does not verify
            """,
        version: ProtocolVersion.agent,
        subcommands: [
            IssuerCommand.self, RotateCommand.Short.self, KeysCommand.self, JWTCommand.self, SignCommand.self, KeySetCommand.self,
            DiscoveryCommand.self, HealthCommand.self, ReconcileCommand.self, StoreCommand.self, VersionCommand.self,
            CallCommand.self,
        ])

    static var _errorPrefix: String { "error: " }
}

/// A command that does something, as against one that only groups others.
protocol ConsoleCommand: ParsableCommand {
    /// Does it. What is thrown becomes the error, the hint and the exit code, see ``Failure``.
    func run(on console: Console) async throws
}

extension PrivySeal {
    /// Parses the arguments, runs the command they name, reports its failure, and returns the exit code.
    static func run(_ arguments: [String], on console: Console) async -> Int32 {
        let command: any ParsableCommand
        do {
            command = try parseAsRoot(KeysRevokeCommand.shielding(kidIn: arguments))
        } catch {
            return report(parsing: error, on: console)
        }
        guard let command = command as? any ConsoleCommand else {
            var group = command
            do {
                try group.run()
                return CommandStatus.done.rawValue
            } catch {
                return report(parsing: error, on: console)
            }
        }
        do {
            try await command.run(on: console)
            return CommandStatus.done.rawValue
        } catch let error as ValidationError {
            console.writeError("error: \(error.message)\nhint: see `privyseal help` and the command's --help\n")
            return CommandStatus.usage.rawValue
        } catch {
            let failure = Failure(error)
            console.writeError(failure.text)
            return failure.status.rawValue
        }
    }

    /// Prints what the parser has to say: help and versions are results, the rest are errors.
    private static func report(parsing error: any Error, on console: Console) -> Int32 {
        let message = fullMessage(for: error)
        let status = CommandStatus(parser: exitCode(for: error))
        guard status == .done else {
            console.writeError(message + "\n")
            return status.rawValue
        }
        do {
            try console.print(message)
            return status.rawValue
        } catch {
            let failure = Failure(error)
            console.writeError(failure.text)
            return failure.status.rawValue
        }
    }
}

@main
struct Main {
    static func main() async {
        // A reader that goes away (`| head`) or an agent that hangs up must end in an error of the write, not in a signal.
        signal(SIGPIPE, SIG_IGN)
        exit(await PrivySeal.run(Array(CommandLine.arguments.dropFirst()), on: .process))
    }
}
