import AgentSettings
import DaemonKit
import Foundation
import IssuerStore
import Platform

/// One process at a time changes a store on this machine: whoever holds this, for as long as it lives.
///
/// A lock file beside the database, or beside the file of what this machine remembers of a store in etcd; found by the real path
/// of that, so that two names of one store are one store.
struct StoreLock {
    let lock: FileLock

    /// - Parameter making: whether the store may have to be made.
    /// - Throws: `StartupFailure` naming the process that holds it; `StoreError` for a store that is not there, or not to be
    ///   touched.
    init(_ store: StoreSetting, making: Bool = false, trusting trusted: TrustedDirectories) throws {
        let path = URL(fileURLWithPath: store.localFile).resolvingSymlinksInPath().path
        let isThere = FileManager.default.fileExists(atPath: path)
        let what: String
        switch store {
        case .sqlite:
            what = "the store \(path)"
            if !isThere, making { try Self.checkMaker(of: path) }
            try SQLiteIssuerStore.checkOwnership(of: path, trusting: trusted)
            // Nothing is left behind in a directory that may be the place of a file system that is not mounted.
            if !isThere, !making { try SQLiteIssuerStore.requireFile(at: path) }
        case .etcd:
            what = "what this machine remembers of the store, \(path),"
            if !isThere { try Self.checkMaker(of: path) }
            let directory = URL(fileURLWithPath: path).deletingLastPathComponent().path
            do throws(PlatformError) {
                try FileTrust.checkDirectory(directory, "the directory of store.memory,", trusting: trusted)
                try FileTrust.checkPlace(of: directory, "the directory of store.memory,", trusting: trusted)
            } catch {
                throw StartupFailure(error, exitCode: error.code == .missing ? StartupFailure.configurationExitCode : 1)
            }
        }
        do throws(PlatformError) {
            lock = try FileLock(path: path + ".lock")
        } catch {
            guard error.code == .locked else {
                throw StartupFailure(
                    what: "\(what) cannot be locked: \(error.message)",
                    todo: error.code == .exposed
                        ? error.hint : "let the agent's user write the store's directory; in a pod, by an fsGroup")
            }
            throw StoreInUse(what: what, holder: error.message)
        }
    }

    /// Keeps the lock until here.
    func hold() {
        withExtendedLifetime(lock) {}
    }

    /// A store belongs to whoever makes it: root would make one that the agent cannot open.
    private static func checkMaker(of path: String) throws(StartupFailure) {
        let directory = URL(fileURLWithPath: path).deletingLastPathComponent().path
        let owner = try? FileManager.default.attributesOfItem(atPath: directory)[.ownerAccountID] as? NSNumber
        guard geteuid() == 0, let owner = owner ?? nil, owner.uint32Value != 0 else { return }
        throw StartupFailure(
            what: "the store would be root's, in a directory of uid \(owner)",
            todo: "run this as the agent's user, such as with: setpriv --reuid \(owner) --clear-groups")
    }
}

/// Another process of this machine uses the store.
struct StoreInUse: Error {
    /// The store, or what is remembered of it.
    let what: String
    /// Who holds the lock, with its pid.
    let holder: String
}

extension StartupFailure {
    init(_ error: StoreInUse) {
        self.init(
            what: "\(error.what) is in use: \(error.holder)",
            todo: "stop that process first; two must not change one store")
    }
}
