import Agent
import DaemonKit
import Foundation

extension AuditConfiguration {
    /// The `audit` section, with its defaults and bounds. There is no agent without an audit log.
    ///
    /// - Parameter neighbour: the file of the store, or of what this machine remembers of it; the log is beside it unless the
    ///   section says otherwise.
    /// - Throws: `ConfigurationError` with file, line and column.
    init(_ section: AgentFile.Audit?, besides neighbour: String, _ yaml: StrictYAML) throws {
        func seconds(_ value: DurationValue?, _ bounds: ClosedRange<Int64>, orElse other: Int64, _ key: String) throws -> Int {
            let seconds = value?.seconds ?? other
            guard bounds.contains(seconds) else {
                throw yaml.invalidValue(
                    at: ["audit", key], "audit.\(key) must be \(bounds.lowerBound)s to \(bounds.upperBound)s",
                    hint: "leave it out for the default, \(other)s")
            }
            return Int(seconds)
        }
        if let path = section?.path, !path.hasPrefix("/") || path.hasSuffix("/") {
            throw yaml.invalidValue(
                at: ["audit", "path"], "audit.path is not the absolute path of a file: \"\(path)\"",
                hint: "write the whole path, such as /var/log/privyseal/audit.log")
        }
        let beside = URL(fileURLWithPath: neighbour).deletingLastPathComponent().appendingPathComponent("audit.log").path
        let headInterval: Int? =
            switch section?.head {
            case .never: nil
            case .every(let duration): try seconds(duration, 60...86_400, orElse: 3_600, "head")
            case nil: 3_600
            }
        self.init(
            path: section?.path ?? beside, fsyncInterval: try seconds(section?.fsync, 1...60, orElse: 1, "fsync"),
            headInterval: headInterval, limitPerUser: try Self.limitPerUser(section?.limitPerUser, yaml))
    }

    private static func limitPerUser(_ limit: AgentFile.Audit.Limit?, _ yaml: StrictYAML) throws -> Int? {
        switch limit {
        case nil: return usualLimitPerUser
        case .some(.none): return nil
        case .some(.bytes(let size)):
            guard (1 << 20...1 << 40).contains(size.bytes) else {
                throw yaml.invalidValue(
                    at: ["audit", "limitPerUser"], "audit.limitPerUser must be 1MiB to 1TiB, for a day",
                    hint: "leave it out for the default, \(SizeValue(bytes: usualLimitPerUser)); none is without a bound")
            }
            return size.bytes
        }
    }
}
