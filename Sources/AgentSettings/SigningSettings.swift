package import Agent
import DaemonKit
import Foundation
package import PKCS11

/// How the agent uses the token: the `signing` section, with its defaults and bounds.
package struct SigningSettings: Equatable {
    package let sessions: Int
    package let queue: Int
    /// Seconds, each of them.
    package let deadline: Int
    package let callLimit: Int
    package let changeLimit: Int
    package let recoveryInterval: Int

    /// One for each processor: a token in the process, like SoftHSM, computes on them, and more sessions only take them from each
    /// other. A token that computes elsewhere can have many more.
    private static let usualSessions = min(max(ProcessInfo.processInfo.activeProcessorCount, 2), 16)

    /// - Throws: `ConfigurationError` with file, line and column.
    init(_ file: AgentFile.Signing?, _ yaml: StrictYAML) throws {
        func bounded(_ value: Int?, _ bounds: ClosedRange<Int>, orElse other: Int, _ key: String, _ unit: String = "") throws
            -> Int
        {
            let value = value ?? other
            guard bounds.contains(value) else {
                throw yaml.invalidValue(
                    at: ["signing", key], "signing.\(key) must be \(bounds.lowerBound)\(unit) to \(bounds.upperBound)\(unit)",
                    hint: "the default, \(other)\(unit), is right for most tokens")
            }
            return value
        }
        func seconds(_ value: DurationValue?, _ bounds: ClosedRange<Int>, orElse other: Int, _ key: String) throws -> Int {
            try bounded(value.map { Int(clamping: $0.seconds) }, bounds, orElse: other, key, "s")
        }
        sessions = try bounded(file?.sessions, 1...512, orElse: Self.usualSessions, "sessions")
        queue = try bounded(file?.queue, 1...1_000_000, orElse: 1_024, "queue")
        deadline = try seconds(file?.deadline, 1...300, orElse: 10, "deadline")
        callLimit = try seconds(file?.callLimit, 1...300, orElse: 10, "callLimit")
        changeLimit = try seconds(file?.changeLimit, 1...3_600, orElse: 120, "changeLimit")
        recoveryInterval = try seconds(file?.recoveryInterval, 1...3_600, orElse: 30, "recoveryInterval")
    }

    package func hsmConfiguration(modulePath: String, token: TokenURI, custody: CustodyRules) -> HSMConfiguration {
        HSMConfiguration(
            modulePath: modulePath, token: token, sessions: sessions, queueLimit: queue, deadlineSeconds: deadline,
            callLimitSeconds: Double(callLimit), changeLimitSeconds: Double(changeLimit),
            initialisationIntervalSeconds: Double(recoveryInterval), custody: custody)
    }
}
