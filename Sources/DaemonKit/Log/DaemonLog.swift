public import Logging
public import Platform

/// The process's log: one line per record, to standard error, with a level that can be changed while the process runs.
public final class DaemonLog: Sendable {
    /// Reads the wall clock, as seconds and nanoseconds since 1970.
    public typealias Clock = @Sendable () -> (seconds: Int64, nanoseconds: Int32)

    private let configuration: Locked<LogConfiguration>
    private let clock: Clock
    private let isForJournal: Bool
    private let output: @Sendable ([UInt8]) -> Void

    /// `output` gets one complete line with its LF at a time, from any thread, and with its priority if it goes to the journal.
    public init(
        _ configuration: LogConfiguration, clock: @escaping Clock, isForJournal: Bool = JournalStream.isStandardError(),
        output: @escaping @Sendable ([UInt8]) -> Void = { StandardError.write($0) }
    ) {
        self.configuration = Locked(configuration)
        self.clock = clock
        self.isForJournal = isForJournal
        self.output = output
    }

    /// What is in force.
    public var current: LogConfiguration { configuration.withLock { $0 } }

    /// Changes level and format for every logger at once: for a reload.
    public func reconfigure(_ new: LogConfiguration) {
        configuration.withLock { $0 = new }
    }

    /// A handler for swift-log; `{ label in log.handler(label: label) }` bootstraps the logging system.
    public func handler(label: String) -> any LogHandler {
        DaemonLogHandler(log: self, label: label)
    }

    /// A logger of this log, without bootstrapping the process's logging system.
    public func logger(label: String) -> Logger {
        Logger(label: label, factory: { self.handler(label: $0) })
    }

    func write(_ record: LogRecord) {
        let line = record.line(current.format, at: clock(), forJournal: isForJournal)
        output(Array(line.utf8))
    }
}

/// One logger's way into the process's log. Follows the log's level until the logger is given one of its own.
struct DaemonLogHandler: LogHandler {
    let log: DaemonLog
    let label: String
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    private var ownLevel: Logger.Level?

    init(log: DaemonLog, label: String) {
        self.log = log
        self.label = label
    }

    var logLevel: Logger.Level {
        get { ownLevel ?? log.current.level }
        set { ownLevel = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var merged = metadata
        merged.merge(metadataProvider?.get() ?? [:]) { $1 }
        merged.merge(event.metadata ?? [:]) { $1 }
        if let error = event.error { merged["error"] = .string("\(error)") }
        log.write(LogRecord(level: event.level, label: label, message: event.message.description, metadata: merged))
    }
}
