public import Logging

/// The `log` section of a configuration file: `log: { level: info, format: text }`.
public struct LogConfiguration: Decodable, Sendable, Hashable {
    /// How a record is written.
    public enum Format: String, Decodable, Sendable, CaseIterable {
        /// One line to read: time, level, message, `key=value` pairs. The journal has the time by itself.
        case text
        /// One JSON object per line.
        case json
    }

    /// Records below it are dropped.
    public let level: Logger.Level
    /// How records are written.
    public let format: Format

    /// A configuration; the defaults are those of an absent section.
    public init(level: Logger.Level = .info, format: Format = .text) {
        self.level = level
        self.format = format
    }

    enum CodingKeys: String, CodingKey, CaseIterable {
        case level, format
    }

    /// Decodes the section; both keys are optional.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        level = try container.decodeIfPresent(Logger.Level.self, forKey: .level) ?? .info
        format = try container.decodeIfPresent(Format.self, forKey: .format) ?? .text
    }
}
