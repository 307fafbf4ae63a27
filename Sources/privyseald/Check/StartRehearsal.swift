import Agent
import AgentSettings
import DaemonKit
import Foundation
import IssuerStore
import Platform

/// `privyseald check --start`: what a start does, up to the login, and nothing after it.
struct StartRehearsal {
    let configuration: String

    func run() async throws {
        let startup = try Startup(configuration: configuration)
        let settings = startup.settings
        for remark in settings.remarks { print(remark.line) }
        try Self.checkSocket(settings.socket)
        let lock = try StoreLock(settings.store, trusting: settings.trusted)
        defer { lock.hold() }
        for note in try await settings.store.clusterNotes() { print("note: \(note)") }
        try await OpenStore.with({ try await startup.openStore() }) { store in
            try await AgentServer.rehearse(
                startup.agentConfiguration(), store: store, environment: startup.agentEnvironment())
        }
        settings.printRemarks()
        print("ok: the agent would start on \(settings.socket) with \(settings.token)")
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

    static func checkDirectory(of path: String, _ what: String, exitCode: Int32 = 1) throws(StartupFailure) {
        let directory = URL(fileURLWithPath: path).deletingLastPathComponent().path
        var isDirectory = false
        if let type = try? FileManager.default.attributesOfItem(atPath: directory)[.type] as? FileAttributeType {
            isDirectory = type == .typeDirectory || type == .typeSymbolicLink
        }
        guard isDirectory, FileManager.default.isWritableFile(atPath: directory) else {
            throw StartupFailure(
                what: "the directory of the \(what), \(directory), is not there or not writable",
                todo: "create it and let the agent's user write there", exitCode: exitCode)
        }
    }
}
