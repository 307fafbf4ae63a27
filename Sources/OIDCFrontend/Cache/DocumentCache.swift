import AgentProtocol
import Foundation
public import Logging
public import Platform

/// The last known documents on disk, so that a restart without the agent goes on serving them.
///
/// Three files in one directory: `documents.json` with everything the agent said, replaced whenever that changes;
/// `confirmed.json` with the time of its last word; and `accepted.json` with what an operator has said about an agent that knows
/// nothing of what is served. Everything in them is public. It is a cache: what cannot be read, what others could have changed
/// and what cannot be served is logged and set aside under its name and `.unusable`, and the agent is asked again.
public struct DocumentCache: Sendable {
    /// The directory's path.
    public let directory: String
    private let trusted: TrustedDirectories

    /// Touches nothing yet. `trusted` are directories in which others could put files by their mode, and do not.
    public init(directory: String, trusting trusted: TrustedDirectories = .none) {
        self.directory = directory
        self.trusted = trusted
    }

    /// What was kept; an empty publication when nothing was, or nothing usable.
    ///
    /// Blocks on the disk.
    public func load(logger: Logger) -> Publication {
        let documents: KeptDocuments? = load(documentsPath, logger)
        let confirmation: KeptConfirmation? = load(confirmationPath, logger)
        // The time of the word without the word itself says nothing.
        return Publication(
            results: documents?.issuers ?? [], deployment: documents?.deployment,
            confirmedAt: documents == nil ? nil : confirmation?.confirmedAt, isShared: confirmation?.isShared ?? false)
    }

    /// As `load(logger:)`, for somebody who only looks: nothing is set aside.
    ///
    /// Throws `cacheUnusable` for a file that is there and cannot be used; blocks on the disk.
    public func peek() throws(FrontendError) -> Publication {
        do {
            let documents: KeptDocuments? = try read(documentsPath)
            return Publication(results: documents?.issuers ?? [], deployment: documents?.deployment, confirmedAt: nil)
        } catch {
            throw FrontendError(
                .cacheUnusable, "what is served cannot be read from \(documentsPath): \(error)",
                hint: "run this as the user that runs privyseal-issuer, or as root", cause: error)
        }
    }

    /// What an operator has accepted; nil when nothing.
    ///
    /// Blocks on the disk.
    public func acceptance(logger: Logger) -> Acceptance? {
        let kept: KeptAcceptance? = load(acceptancePath, logger)
        return kept?.acceptance
    }

    /// Tells the frontend that keeps its documents here, or the next one to do so, what has been accepted.
    ///
    /// Throws `cacheUnusable`; blocks on the disk.
    public func save(_ acceptance: Acceptance) throws(FrontendError) {
        do {
            // Whoever decides may be root, and the frontend is not.
            try save(KeptAcceptance(acceptance), to: acceptancePath, mode: 0o644)
        } catch {
            throw FrontendError(
                .cacheUnusable, "what was accepted cannot be written to \(acceptancePath): \(error)",
                hint: "run this as the user that runs privyseal-issuer, or as root", cause: error)
        }
    }

    /// Throws `cacheUnusable` unless files can be made in the directory, and by nobody else but root.
    ///
    /// Blocks on the disk.
    public func checkWritable() throws(FrontendError) {
        do {
            // Whoever can write here chooses the keys that relying parties trust while the agent is away.
            try FileTrust.checkDirectory(directory, "the cache directory", trusting: trusted)
            try FileTrust.checkPlace(of: directory, "the cache directory", trusting: trusted)
            let probe = directory + "/.writable"
            try AtomicFile.write([], to: probe)
            try FileManager.default.removeItem(atPath: probe)
        } catch let error as FrontendError {
            throw error
        } catch let error as PlatformError where error.code == .exposed {
            throw FrontendError(.cacheUnusable, error.message, hint: error.hint, cause: error)
        } catch {
            let reason =
                switch (error as? PlatformError)?.code {
                case .missing: "does not exist"
                case .denied: "cannot be written to by this user"
                default: "cannot be used: \(error)"
                }
            throw FrontendError(
                .cacheUnusable, "the cache directory \(directory) \(reason)",
                hint: "create it with mode 0750, owned by the user that runs privyseal-issuer", cause: error)
        }
    }

    func save(_ results: some Collection<DiscoveryResult>, deployment: String?) throws {
        try save(
            KeptDocuments(deployment: deployment, issuers: results.sorted { $0.issuer < $1.issuer }), to: documentsPath)
    }

    func save(confirmedAt: WireTime, isShared: Bool = false) throws {
        try save(KeptConfirmation(confirmedAt: confirmedAt, isShared: isShared), to: confirmationPath)
    }

    /// Far more than ten thousand issuers need.
    private static let longestFile = 1 << 28

    var documentsPath: String { directory + "/documents.json" }
    var confirmationPath: String { directory + "/confirmed.json" }
    var acceptancePath: String { directory + "/accepted.json" }

    private func save(_ kept: some Kept, to path: String, mode: UInt32 = 0o640) throws {
        try AtomicFile.write([UInt8](JSONEncoder().encode(kept)), to: path, mode: mode)
    }

    private func load<Content: Kept>(_ path: String, _ logger: Logger) -> Content? {
        do {
            return try read(path)
        } catch {
            let aside = path + ".unusable"
            // What was set aside before gives way. Should this fail, the next save replaces the file all the same.
            try? FileManager.default.removeItem(atPath: aside)
            try? FileManager.default.moveItem(atPath: path, toPath: aside)
            let reason = error is DecodingError ? "not a file of this version" : "\(error)"
            logger.warning("a cache file is unusable and set aside", metadata: ["file": "\(path)", "error": "\(reason)"])
            return nil
        }
    }

    private func read<Content: Kept>(_ path: String) throws -> Content? {
        let bytes: [UInt8]
        do throws(PlatformError) {
            bytes = try RegularFile.readTrusted(path: path, limit: Self.longestFile, trusting: trusted)
        } catch {
            guard error.code == .missing else { throw error }
            return nil
        }
        let content = try JSONDecoder().decode(Content.self, from: Data(bytes))
        guard content.format == Content.format else {
            throw FrontendError(.cacheForeign, "its format is \"\(content.format)\"", hint: "remove it")
        }
        try content.check()
        return content
    }
}
