import Agent
import AgentProtocol
import AgentSettings
import ArgumentParser
import DaemonKit
import Foundation
import Platform

/// `privyseald access`
struct AccessCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "access", abstract: "Look into the access rules of a configuration.", subcommands: [AccessTestCommand.self])
}

/// `privyseald access test`
struct AccessTestCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test",
        abstract: "Say what the rules would decide, and which one.",
        discussion: """
            Asks nobody and changes nothing. Exit status: 0 allowed, 1 denied.

            Example:
              privyseald access test --config agent.yaml --user payments --method sign --issuer prod \\
                --subject system:serviceaccount:payments:api --audience sts.amazonaws.com
            """)

    @Option(name: .long, help: ArgumentHelp("The agent's configuration file.", valueName: "file"))
    var config = "/etc/privyseal/agent.yaml"

    @Option(name: .long, help: "The caller's user, by name or number.")
    var user: String

    @Option(
        name: .long,
        help: "A group of the caller's, by name or number; unless given, those of a user that is given by name. Can be repeated.")
    var group: [String] = []

    @Option(name: .long, help: "The method.")
    var method: String

    @Option(name: .long, help: "The issuer.")
    var issuer: String?

    @Option(name: .long, help: "The sub of the JWT.")
    var subject: String?

    @Option(name: .long, help: "An aud of the JWT. Can be repeated.")
    var audience: [String] = []

    @Option(name: .long, help: "The name of a further claim. Can be repeated.")
    var claim: [String] = []

    @Option(name: .long, help: "How long the JWT is to live, such as 1h.")
    var lifetime: String?

    func run() throws {
        do {
            let settings = try Settings(path: config)
            for warning in settings.access?.warnings ?? [] { print("warning: \(warning)") }
            guard Method.all.contains(Method(rawValue: method)) else {
                throw StartupFailure(
                    what: "there is no method \"\(method)\"",
                    todo: "the methods are \(Method.all.map(\.rawValue).joined(separator: ", "))", exitCode: 64)
            }
            try decide(settings.accessPolicy)
        } catch let code as ExitCode {
            throw code
        } catch {
            try StartupFailure(mapping: error).end()
        }
    }

    private func decide(_ policy: AccessPolicy) throws {
        let caller = try self.caller()
        if Method(rawValue: method).isOpenToAll { return print("allowed: \(method) needs no permission") }
        guard let place = policy.deciding(caller, Method(rawValue: method), issuer: issuer) else {
            print("denied: no rule matches uid \(caller.uid), \(method)\(issuer.map { ", issuer \($0)" } ?? "")")
            throw ExitCode(1)
        }
        let rule = policy.rules[place]
        do throws(ProtocolError) {
            if method == Method.sign.rawValue {
                let claim = claim
                try rule.check(SignatureFacts(subject: subject, audience: audience) { claim })
            }
        } catch {
            print("denied by \(rule.name): \(error.message)")
            throw ExitCode(1)
        }
        if let lifetime { try check(Int(clamping: DurationText.parse(lifetime)), rule) }
        print("allowed by \(rule.name)")
    }

    private func check(_ lifetime: Int, _ rule: AccessRule) throws {
        do throws(ProtocolError) {
            try rule.check(lifetime: lifetime)
        } catch {
            print("denied by \(rule.name): \(error.message)")
            throw ExitCode(1)
        }
    }

    private func caller() throws -> Caller {
        let uid = try UserAccount.number(of: user)
        // A number has no groups but those that are given.
        let account = "\(uid)" == user ? nil : try? UserAccount(named: user)
        var groups = try group.map { try GroupAccount.number(of: $0) }
        if groups.isEmpty, account != nil { groups = try UserAccount.groups(ofUser: user) }
        return Caller(uid: uid, gid: account?.gid ?? groups.first ?? .max, pid: 0, groups: groups)
    }
}
