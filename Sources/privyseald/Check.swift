import Agent
import ArgumentParser
import DaemonKit
import Foundation
import IssuerStore
import Platform

/// `privyseald check`
struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say whether the agent would start, and why not.",
        discussion: """
            Reads the configuration, opens the store if there is one, looks for the token and logs in to it once, and looks \
            at the socket path. It changes nothing, but a wrong PIN costs one of the token's tries, as a start would; one \
            that was refused before is not sent again.
            """)

    @Option(name: .long, help: ArgumentHelp("The agent's configuration file.", valueName: "file"))
    var config = "/etc/privyseal/agent.yaml"

    func run() async throws {
        do {
            let startup = try Startup(configuration: config)
            let settings = startup.settings
            try Self.checkSocket(settings.socket)
            let (store, lock) = try Self.storeIfThere(startup)
            defer { lock?.hold() }
            try await AgentServer.rehearse(
                startup.agentConfiguration(), store: store, environment: startup.agentEnvironment())
            if let relaxations = settings.custody.relaxations {
                print("note: the custody rules are relaxed by the configuration: \(relaxations)")
            }
            for warning in settings.warnings { print("warning: \(warning)") }
            print("ok: the agent would start on \(settings.socket) with \(settings.token)")
        } catch {
            try StartupFailure(mapping: error).end()
        }
    }

    private static func checkSocket(_ socket: UnixSocketPath) throws {
        try checkDirectory(of: socket.path, "socket")
        try socket.checkDirectory()
        switch try socket.occupancy() {
        case .absent, .stale:
            break
        case .live:
            throw StartupFailure(
                what: "an agent already serves \(socket)", todo: "stop it first, or configure another socket path")
        case .notASocket:
            throw StartupFailure(
                what: "\(socket) exists and is not a socket", todo: "remove it, or configure another socket path")
        }
    }

    /// A store is not made by looking: its owner would be whoever looked.
    private static func storeIfThere(_ startup: Startup) throws -> (SQLiteIssuerStore?, StoreLock?) {
        let path = startup.settings.file.store.sqlite
        if FileManager.default.fileExists(atPath: path) {
            let lock = try StoreLock(store: path)
            return (try startup.openStore(), lock)
        }
        try checkDirectory(of: path, "store")
        try SQLiteIssuerStore.checkOwnership(of: path)
        return (nil, nil)
    }

    private static func checkDirectory(of path: String, _ what: String) throws {
        let directory = URL(fileURLWithPath: path).deletingLastPathComponent().path
        var isDirectory = false
        if let type = try? FileManager.default.attributesOfItem(atPath: directory)[.type] as? FileAttributeType {
            isDirectory = type == .typeDirectory || type == .typeSymbolicLink
        }
        guard isDirectory, FileManager.default.isWritableFile(atPath: directory) else {
            throw StartupFailure(
                what: "the directory of the \(what), \(directory), is not there or not writable",
                todo: "create it and let the agent's user write there")
        }
    }
}
