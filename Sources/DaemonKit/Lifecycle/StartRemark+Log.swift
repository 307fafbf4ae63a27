public import Logging
public import Platform

extension StartRemark {
    /// Says it where a daemon starts.
    public func log(to logger: Logger) {
        logger.log(level: isWarning ? .warning : .notice, "\(text)")
    }

    /// As a command prints it, without the line's end.
    public var line: String { "\(isWarning ? "warning" : "note"): \(text)" }
}
