import Foundation
import IssuerStore
import KeyLifecycle
import NIOPosix
import Platform

/// What one machine remembers of a store that lies elsewhere, in a small file of its own: what the token has refused here, and
/// how far the store had come, so that one that went back is noticed.
actor LocalMemory {
    struct Content: Codable, Hashable, Sendable {
        struct Refused: Codable, Hashable, Sendable {
            var source, returnValue: String
            var at: Int64
        }

        var deployment: String?
        /// Hexadecimal; `nil` before the first answer.
        var cluster: String?
        var revision: Int64 = 0
        /// The highest generation seen of each issuer, those that are deleted included.
        var generations: [String: Int] = [:]
        var refused: Refused?
        var frontends = 0
    }

    private let path: String
    /// Whether the file stays as it is: another process of this machine keeps it.
    private let isReadOnly: Bool
    private(set) var content: Content
    /// What lies in the file.
    private var saved: Content
    private var saving: Task<Void, any Error>?

    /// Reads the file, or begins anew where there is none.
    ///
    /// - Throws: `StoreError` with `.corrupt` for a file that cannot be read as one, `.exposed` where others could have written it.
    init(path: String, isReadOnly: Bool = false) async throws(StoreError) {
        (self.path, self.isReadOnly) = (path, isReadOnly)
        let bytes: [UInt8]
        do {
            bytes = try await NIOThreadPool.singleton.runIfActive { try RegularFile.readTrusted(path: path, limit: 64 << 20) }
        } catch let error as PlatformError where error.code == .missing {
            (content, saved) = (Content(), Content())
            return
        } catch let error as PlatformError {
            throw StoreError(
                error.code == .exposed ? .exposed : .unavailable, "what this machine remembers of the store: \(path): \(error)",
                hint: error.hint, cause: error)
        } catch {
            throw StoreError(.unavailable, "\(path) cannot be read: \(error)", hint: "see the log, then try again", cause: error)
        }
        do {
            content = try JSONDecoder().decode(Content.self, from: Data(bytes))
        } catch {
            throw StoreError(
                .corrupt, "\(path), what this machine remembers of the store, cannot be read",
                hint: "move it away, once it is certain that the store is not an old one", cause: error)
        }
        saved = content
    }

    /// Changes what is remembered, and returns when it is in the file.
    ///
    /// - Throws: `StoreError` with `.unavailable`.
    func keep(_ change: @Sendable (inout Content) -> Void) async throws(StoreError) {
        change(&content)
        guard !isReadOnly else { return }
        do {
            while content != saved {
                let task = saving ?? beginSaving()
                try await task.value
            }
        } catch {
            let hint = (error as? PlatformError)?.hint ?? "see the log, then try again"
            throw StoreError(
                .unavailable, "what this machine remembers of the store cannot be written: \(error)", hint: hint, cause: error)
        }
    }

    private func beginSaving() -> Task<Void, any Error> {
        let (content, path) = (content, path)
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
