import AgentProtocol
import Dispatch
public import Logging
public import ServiceLifecycle

/// Writes what is published to the cache soon after it changes, several changes at once when they come faster than the disk.
///
/// The time of the agent's last word goes to disk at most once a minute by itself, so a restart may take the word for a
/// minute older than it is. A cache that cannot be written is logged once, and tried again at the next change or word.
public actor CacheWriter: Service {
    private let cache: DocumentCache
    private let publication: LivePublication
    private let logger: Logger
    // Writing waits for the disk, which must not hold up a thread of the cooperative pool.
    private let queue = DispatchQueue(label: "privyseal-issuer.cache")
    private var onDisk: (revision: Int, confirmedAt: WireTime?)
    private var isFailing = false

    /// The only reader of the publication's changes; `loaded` is what the cache held at start-up.
    public init(cache: DocumentCache, loaded: Publication, publication: LivePublication, logger: Logger) {
        self.cache = cache
        self.publication = publication
        self.logger = logger
        onDisk = (loaded.revision, loaded.confirmedAt)
    }

    /// Writes until graceful shutdown, and then once more what is left.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            for await _ in self.publication.changes { await self.save(atShutdown: false) }
        }
        await save(atShutdown: true)
    }

    private func save(atShutdown: Bool) async {
        let now = publication.current
        let needsDocuments = now.revision != onDisk.revision
        let age = (now.confirmedAt?.seconds ?? 0) - (onDisk.confirmedAt?.seconds ?? 0)
        let needsConfirmation = now.confirmedAt != onDisk.confirmedAt && (needsDocuments || atShutdown || !(0..<60 ~= age))
        guard needsDocuments || needsConfirmation else { return }
        do {
            try await onQueue { [cache] in
                // In this order: after a crash in between, the documents only seem older than they are.
                if needsDocuments { try cache.save(now.results.values, deployment: now.deployment) }
                if needsConfirmation, let time = now.confirmedAt { try cache.save(confirmedAt: time, isShared: now.isShared) }
            }
            if needsDocuments { onDisk.revision = now.revision }
            if needsConfirmation { onDisk.confirmedAt = now.confirmedAt }
            if isFailing { logger.info("the cache is written again", metadata: ["directory": "\(cache.directory)"]) }
            isFailing = false
        } catch {
            if !isFailing {
                logger.error(
                    "the cache cannot be written; a restart without the agent would serve older documents",
                    metadata: ["directory": "\(cache.directory)", "error": "\(error)"])
            }
            isFailing = true
        }
    }

    private func onQueue(_ work: @escaping @Sendable () throws -> Void) async throws {
        try await withCheckedThrowingContinuation { continuation in
            queue.async { continuation.resume(with: Result(catching: work)) }
        }
    }
}
