import Foundation
import IssuerStore
import KeyLifecycle
import NIOPosix
import Platform

/// What one machine remembers of a store that lies elsewhere, in a small file of its own: who it is, what the token has refused
/// here, and how far the store had come, so that one that went back is noticed.
///
/// The file is locked as long as this is open: whoever finds in the store what the file says of this machine knows that nobody
/// else goes by it any more.
actor LocalMemory {
    struct Content: Codable, Hashable, Sendable {
        struct Refused: Codable, Hashable, Sendable {
            var source, returnValue: String
            var at: Int64
        }

        /// Random; tells this machine from others.
        var keeper: String?
        /// The agent's id, where none is configured.
        var agent: String?
        var deployment: String?
        /// Hexadecimal; `nil` before the first answer.
        var cluster: String?
        var revision: Int64 = 0
        /// Of the store's `meta`.
        var epoch: Int?
        /// The highest generation seen of each issuer, those that are deleted included.
        var generations: [String: Int] = [:]
        var refused: Refused?
        var frontends = 0
    }

    /// `nil` where nothing is to be kept.
    private let path: String?
    /// Whether the file stays as it is: another process of this machine keeps it.
    private let isReadOnly: Bool
    private(set) var content: Content
    /// What lies in the file.
    private var saved: Content
    private var saving: Task<Void, any Error>?
    private var lock: FileLock?

    /// Locks and reads the file, or begins anew where there is none; with `nil` remembers nothing beyond its own end.
    ///
    /// - Throws: `StoreError` with `.occupied` when another process has it, `.corrupt` for a file that cannot be read as one,
    ///   `.exposed` where others could have written it.
    ///
    /// - Parameters:
    ///   - isReadOnly: whether the file stays as it is, and is not locked.
    ///   - isLocked: whether the caller has locked it.
    ///   - trusted: directories in which others could put files by their mode, and do not.
    init(
        path: String?, isReadOnly: Bool = false, isLocked: Bool = false, trusting trusted: TrustedDirectories = .none
    ) async throws(StoreError) {
        (self.path, self.isReadOnly) = (path, isReadOnly)
        guard let path else {
            (content, saved) = (Content(keeper: Self.mint()), Content())
            return
        }
        let found: (lock: FileLock?, bytes: [UInt8]?)
        do {
            found = try await NIOThreadPool.singleton.runIfActive {
                try Self.open(path, locking: !isReadOnly && !isLocked, trusting: trusted)
            }
        } catch let error as PlatformError where error.code == .locked {
            throw StoreError(
                .occupied, "another agent of this machine uses the store: \(error)",
                hint: "stop it first, or give each agent a memory of its own", cause: error)
        } catch let error as PlatformError {
            throw StoreError(
                error.code == .exposed ? .exposed : .unavailable, "what this machine remembers of the store: \(path): \(error)",
                hint: error.hint, cause: error)
        } catch {
            throw StoreError(.unavailable, "\(path) cannot be read: \(error)", hint: "see the log, then try again", cause: error)
        }
        lock = found.lock
        do {
            saved = try found.bytes.map { try JSONDecoder().decode(Content.self, from: Data($0)) } ?? Content()
        } catch {
            throw StoreError(
                .corrupt, "\(path), what this machine remembers of the store, cannot be read",
                hint: "move it away, once it is certain that the store is not an old one", cause: error)
        }
        content = saved
        if content.keeper == nil { content.keeper = Self.mint() }
    }

    private static func mint() -> String { SystemRandom.hexadecimal(bytes: 16) }

    private static func open(
        _ path: String, locking: Bool, trusting trusted: TrustedDirectories
    ) throws(PlatformError) -> (FileLock?, [UInt8]?) {
        let lock = locking ? try FileLock(path: path + ".lock") : nil
        do throws(PlatformError) {
            return (lock, try RegularFile.readTrusted(path: path, limit: 64 << 20, trusting: trusted))
        } catch {
            guard error.code == .missing else { throw error }
            return (lock, nil)
        }
    }

    /// Writes what is not written yet, and lets others have the file.
    func close() async {
        try? await flush()
        lock = nil
    }

    /// Changes what is remembered, and leaves writing it to the next `flush`.
    func note(_ change: @Sendable (inout Content) -> Void) {
        change(&content)
    }

    /// Changes what is remembered, and returns when it is in the file.
    ///
    /// - Throws: `StoreError` with `.unavailable`.
    func keep(_ change: @Sendable (inout Content) -> Void) async throws(StoreError) {
        change(&content)
        try await flush()
    }

    /// Returns when everything that is remembered is in the file.
    ///
    /// - Throws: `StoreError` with `.unavailable`.
    func flush() async throws(StoreError) {
        guard let path, !isReadOnly else { return }
        do {
            while content != saved {
                let task = saving ?? beginSaving(path)
                try await task.value
            }
        } catch {
            let hint = (error as? PlatformError)?.hint ?? "see the log, then try again"
            throw StoreError(
                .unavailable, "what this machine remembers of the store cannot be written: \(error)", hint: hint, cause: error)
        }
    }

    private func beginSaving(_ path: String) -> Task<Void, any Error> {
        let content = content
        let task = Task {
            defer { saving = nil }
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            let bytes = Array(try encoder.encode(content))
            try await NIOThreadPool.singleton.runIfActive { try AtomicFile.write(bytes, to: path, mode: 0o600) }
            saved = content
        }
        saving = task
        return task
    }
}
