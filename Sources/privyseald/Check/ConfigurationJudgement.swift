import Agent
import AgentSettings
import DaemonKit
import Foundation
import IssuerStore
import Platform

/// What a configuration names, looked at without changing it or being in the way of an agent that uses it.
struct ConfigurationJudgement {
    private let settings: Settings

    init(_ settings: Settings) {
        self.settings = settings
    }

    /// What cannot be judged from here, or is worth knowing.
    ///
    /// - Throws: `PlatformError`, `StoreError` or `StartupFailure` for what an agent could not start with.
    func notes() async throws -> [String] {
        // Whoever can change the module has the PIN and every key.
        try FileTrust.checkFile(settings.module, "the PKCS#11 module", trusting: settings.trusted)
        try requireReadable(settings.module, "the PKCS#11 module")
        return try await [pinNote()].compactMap(\.self) + storeNotes() + [auditNote(), socketNote()].compactMap(\.self)
    }

    private func pinNote() throws -> String? {
        switch settings.pin {
        case .file(let path):
            var pin = try SecretFile.read(path: path)
            SecretBytes.wipe(&pin)
            return nil
        case .credential(let name):
            // Also within the unit: what is run for a reload may not see what the agent was started with.
            guard let directory = Environment.value("CREDENTIALS_DIRECTORY"),
                FileManager.default.isReadableFile(atPath: directory)
            else { return "the PIN is the credential \"\(name)\", which the service alone sees: it is not looked at" }
            var pin = try SystemdCredential.read(name, directory: directory)
            SecretBytes.wipe(&pin)
            return nil
        case .environment(let name):
            return "the PIN is in the service's environment, in \(name): it is not looked at"
        }
    }

    private func storeNotes() async throws -> [String] {
        switch settings.store {
        case .sqlite(let path): try [storeNote(path)].compactMap(\.self)
        case .etcd(let etcd): try await storeNotes(etcd)
        }
    }

    private func storeNotes(_ etcd: EtcdSettings) async throws -> [String] {
        try requireWritableDirectory(of: etcd.memory, "memory", exitCode: StartupFailure.configurationExitCode)
        var notes = try await settings.store.clusterNotes()
        do {
            let store = try await etcd.open(
                .reading, tenant: settings.tenant, over: etcd.gateway(), trusting: settings.trusted)
            await store.close()
        } catch let error as StoreError where error.code == .missing {
            notes.append("there is no store \(settings.store) yet: privyseald init makes one, once for all its agents")
        }
        return notes
    }

    private func storeNote(_ path: String) throws -> String? {
        // As a start says of a place where there can be no store.
        try requireWritableDirectory(of: path, "store", exitCode: StartupFailure.configurationExitCode)
        guard FileManager.default.fileExists(atPath: path) else {
            try SQLiteIssuerStore.checkOwnership(of: path, trusting: settings.trusted)
            return "there is no store at \(path) yet: privyseald init makes one"
        }
        _ = try SQLiteIssuerStore(reading: path, tenant: settings.tenant, trusting: settings.trusted)
        return nil
    }

    private func auditNote() throws -> String? {
        let path = settings.audit.path
        try requireWritableDirectory(of: path, "audit log")
        if FileManager.default.fileExists(atPath: path), !FileManager.default.isWritableFile(atPath: path) {
            throw StartupFailure(
                what: "the audit log \(path) cannot be written to by this user", todo: "give it to the agent's user")
        }
        return nil
    }

    private func socketNote() throws -> String? {
        let socket = settings.socket
        let directory = URL(fileURLWithPath: socket.path).deletingLastPathComponent().path
        guard FileManager.default.fileExists(atPath: directory) else {
            return "the directory of the socket, \(directory), is not there: it is for a socket unit to make"
        }
        try socket.checkDirectory()
        if try socket.isOccupiedByAnotherFile() {
            throw StartupFailure(
                what: "\(socket) exists and is not a socket", todo: "remove it, or configure another socket path")
        }
        guard FileManager.default.isWritableFile(atPath: directory) else {
            return "this user cannot make a socket in \(directory): it is for a socket unit to make"
        }
        return nil
    }

    private func requireReadable(_ path: String, _ what: String) throws(StartupFailure) {
        guard FileManager.default.isReadableFile(atPath: path) else {
            throw StartupFailure(
                what: "\(what) \(path) cannot be read by this user",
                todo: "let the agent's user read it, and the directories above it")
        }
    }

    private func requireWritableDirectory(
        of path: String, _ what: String, exitCode: Int32 = 1
    ) throws(StartupFailure) {
        try StartRehearsal.checkDirectory(of: path, what, exitCode: exitCode)
    }
}

extension UnixSocketPath {
    /// Whether something is at the path that is no socket, and so is not the agent's to remove.
    fileprivate func isOccupiedByAnotherFile() throws -> Bool {
        guard let attributes = try? FileManager.default.attributesOfItem(atPath: path) else { return false }
        return attributes[.type] as? FileAttributeType != .typeSocket
    }
}
