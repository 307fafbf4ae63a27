import Logging

/// One record on its way to a line. Whatever is in it, it stays one line: control characters are escaped.
struct LogRecord {
    let level: Logger.Level
    let label: String
    let message: String
    let metadata: Logger.Metadata

    /// The line with its LF. One for the journal begins with its priority (sd-daemon(3)), and has no time as text: the journal
    /// has its own.
    func line(
        _ format: LogConfiguration.Format, at time: (seconds: Int64, nanoseconds: Int32), forJournal isForJournal: Bool
    ) -> String {
        let time = RFC3339.text(seconds: time.seconds, nanoseconds: time.nanoseconds)
        let prefix = isForJournal ? level.journalPrefix : ""
        return switch format {
        case .text: prefix + (isForJournal ? "" : time + " ") + text + "\n"
        case .json: prefix + json(time) + "\n"
        }
    }

    private var text: String {
        var line = "\(level.rawValue) \(LogText.escaped(message))"
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            line += " \(LogText.word(key))=\(LogText.word(value.description))"
        }
        return line
    }

    private func json(_ time: String) -> String {
        var line = "{\"time\":\"\(time)\",\"level\":\"\(level.rawValue)\",\"logger\":\(LogText.json(label))"
        line += ",\"message\":\(LogText.json(message))"
        if !metadata.isEmpty { line += ",\"metadata\":\(Self.json(.dictionary(metadata)))" }
        return line + "}"
    }

    private static func json(_ value: Logger.Metadata.Value) -> String {
        switch value {
        case .string(let text): LogText.json(text)
        case .stringConvertible(let value): LogText.json(value.description)
        case .array(let values): "[\(values.map(json).joined(separator: ","))]"
        case .dictionary(let values):
            "{"
                + values.sorted { $0.key < $1.key }.map { "\(LogText.json($0.key)):\(json($0.value))" }
                .joined(separator: ",") + "}"
        }
    }
}

extension Logger.Level {
    /// The level as the journal takes it at the beginning of a line: `<3>` for an error (sd-daemon(3), syslog(3)).
    var journalPrefix: String {
        switch self {
        case .critical: "<2>"
        case .error: "<3>"
        case .warning: "<4>"
        case .notice: "<5>"
        case .info: "<6>"
        case .debug, .trace: "<7>"
        }
    }
}
