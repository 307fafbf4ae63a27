import AgentProtocol
import Dispatch
public import Logging
public import ServiceLifecycle

/// Takes a renewed certificate: when it is told to, and when it sees within a minute that a file has changed.
///
/// What does not load is logged, once for each change of the files, and the certificate in force stays so. A certificate that
/// nears its end, or has reached it, is logged as well.
public actor CertificateKeeper: Service {
    /// What the listener serves with.
    public nonisolated let certificate: LiveCertificate
    private let files: TLSFiles
    private let clock: @Sendable () -> Moment
    private let pause: Pause
    private let logger: Logger
    // Reading waits for the disk, which must not hold up a thread of the cooperative pool.
    private let queue = DispatchQueue(label: "privyseal-issuer.certificate")
    /// The files as they were when they were last read.
    private var seen: String?
    private var said: Stage

    private enum Stage: Comparable {
        case long, soon, ended
    }

    /// Reads the files. Throws what ``ServerCertificate/init(reading:at:)`` throws.
    public init(
        _ files: TLSFiles, clock: @escaping @Sendable () -> Moment, pause: Pause = .realTime, logger: Logger
    ) throws(FrontendError) {
        self.files = files
        self.clock = clock
        self.pause = pause
        self.logger = logger
        // Before they are read: a change in between is seen a minute later.
        seen = files.identity
        let first = try ServerCertificate(reading: files, at: clock())
        certificate = LiveCertificate(first)
        said = Self.stage(of: first, at: clock())
        if let warning = first.warning(at: clock()) { logger.warning("\(warning)") }
    }

    /// Looks once a minute until graceful shutdown.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                // Only cancellation ends a pause early.
                guard (try? await self.pause(.certificate, .seconds(60))) != nil else { return }
                await self.look()
            }
        }
    }

    /// Reads the files now.
    public func reload() async {
        await take()
    }

    private func look() async {
        let now = await onQueue { [files] in files.identity }
        if now != seen { await take() }
        let (certificate, time) = (certificate.current, clock())
        let stage = Self.stage(of: certificate, at: time)
        if stage > said, let warning = certificate.warning(at: time) {
            logger.log(level: stage == .ended ? .error : .warning, "\(warning)")
        }
        said = stage
    }

    private func take() async {
        // Read and put in force in one go, so that what was read last is what is in force.
        let (identity, result) = await onQueue { [files, clock, certificate] in
            (
                files.identity,
                Result { () throws(FrontendError) -> (new: ServerCertificate, isNews: Bool) in
                    let new = try ServerCertificate(reading: files, at: clock())
                    let isNews = new != certificate.current
                    certificate.replace(by: new)
                    return (new, isNews)
                }
            )
        }
        seen = identity
        switch result {
        case .success(let (new, isNews)):
            certificate.note(nil)
            logger.info(
                isNews ? "a renewed TLS certificate is in force" : "the TLS certificate is the one in force already",
                metadata: ["validUntil": "\(new.endsAt.text)"])
            said = Self.stage(of: new, at: clock())
            if let warning = new.warning(at: clock()) { logger.warning("\(warning)") }
        case .failure(let error):
            certificate.note(error)
            logger.error(
                "the TLS certificate cannot be renewed, the one in force stays so",
                metadata: [
                    "error": "\(error)", "hint": "\(error.hint)", "validUntil": "\(certificate.current.endsAt.text)",
                ])
        }
    }

    private static func stage(of certificate: ServerCertificate, at time: Moment) -> Stage {
        certificate.hasEnded(at: time) ? .ended : certificate.warning(at: time) == nil ? .long : .soon
    }

    private func onQueue<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            queue.async { continuation.resume(returning: work()) }
        }
    }
}
