import Agent
import AgentSettings
import ArgumentParser
import DaemonKit
import Foundation
import Platform

/// `privyseald check`
struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Say whether the configuration is in order, and what is wrong with it.",
        discussion: """
            Reads the configuration and looks at what it names: the PKCS#11 module, the source of the PIN, the store, the audit \
            log's place and the socket's. Of a store in etcd it asks every endpoint what it is. It asks the token nothing, changes nothing, and does so beside a running agent too: \
            the unit has it judge the file before each reload. What root asks is judged as the user of the service: --user, or \
            else the owner of the store's directory.

            --start says whether an agent could start here and now: it also looks whether store and socket are free, looks for \
            the token and logs in to it once. A wrong PIN costs one of the token's tries then, as a start would; one that was \
            refused before is not sent again.

            Exit status: 0 in order, 1 something that the configuration names is not, 77 the token refused the PIN, 78 the \
            configuration itself is wrong.
            """)

    @Option(name: .long, help: ArgumentHelp("The agent's configuration file.", valueName: "file"))
    var config = "/etc/privyseal/agent.yaml"

    @Flag(help: "Also try what a start does, while no agent runs.")
    var start = false

    @Option(name: .long, help: ArgumentHelp("The user the agent runs as, where root asks.", valueName: "name"))
    var user: String?

    func validate() throws {
        guard !start || user == nil else {
            throw ValidationError("--start is of whoever runs it: run it as the user of the service instead of --user")
        }
    }

    func run() async throws {
        do {
            if start { try await StartRehearsal(configuration: config).run() } else { try await judge() }
        } catch {
            try StartupFailure(mapping: error).end()
        }
    }

    private func judge() async throws {
        let store = try Settings(path: config).store.localFile
        let directory = URL(fileURLWithPath: store).deletingLastPathComponent().path
        if let user = try ServiceUser.assume(named: user, owning: directory, unit: "privyseal") {
            print("note: judged as the user \(user)")
        }
        // Once more, since root can read what the service cannot.
        let settings = try Settings(path: config)
        for remark in settings.remarks { print(remark.line) }
        for note in try await ConfigurationJudgement(settings).notes() { print("note: \(note)") }
        settings.printRemarks()
        print("ok: \(config) is in order; whether the token answers, and takes the PIN, is for --start to say")
    }
}

extension Settings {
    /// Prints what of a configuration that is in order deserves a word.
    func printRemarks() {
        if let relaxations = custody.relaxations {
            print("note: the custody rules are relaxed by the configuration: \(relaxations)")
        }
        for warning in warnings { print("warning: \(warning)") }
    }
}
