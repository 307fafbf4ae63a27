package import Logging
import Platform

/// What was logged.
package final class LogRecords: Sendable {
    private let kept = Locked<[String]>([])

    package init() {}

    /// In the order in which it was said.
    package var messages: [String] { kept.withLock { $0 } }
    package var logger: Logger { Logger(label: "test") { _ in Handler(records: self) } }

    /// How often something was said.
    package func count(_ message: String) -> Int { messages.count { $0 == message } }

    private struct Handler: LogHandler {
        let records: LogRecords
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            records.kept.withLock { $0.append(event.message.description) }
        }
    }
}
