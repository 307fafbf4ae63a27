import DaemonKit
import Foundation
import Logging
import Platform
import Testing

/// Collects the lines of a log.
private final class Lines: Sendable {
    private let stored = Locked<[String]>([])
    var all: [String] { stored.withLock { $0 } }
    func add(_ bytes: [UInt8]) { stored.withLock { $0.append(String(decoding: bytes, as: UTF8.self)) } }

    func log(_ configuration: LogConfiguration) -> DaemonLog {
        DaemonLog(configuration, clock: { (1_767_323_045, 678_900_000) }, isForJournal: false, output: add)
    }
}

private struct Failure: Error, CustomStringConvertible {
    let description: String
}

@Suite struct LogTests {
    private let lines = Lines()

    @Test("a text record is time, level, message and sorted pairs, quoted where they must be")
    func text() {
        let logger = lines.log(LogConfiguration(level: .info, format: .text)).logger(label: "agent")
        logger.info("key rotated", metadata: ["kid": "abc", "issuer": "a b", "empty": "", "equals": "x=y", "quote": "a\"b\\"])
        #expect(
            lines.all == [
                #"2026-01-02T03:04:05.678Z info key rotated empty="" equals="x=y" issuer="a b" kid=abc quote="a\"b\\""# + "\n"
            ])
    }

    @Test("a record for the journal begins with its priority, and has no time of its own as text")
    func journal() throws {
        for (format, line) in [
            (LogConfiguration.Format.text, "info m"),
            (.json, #"{"time":"2026-01-02T03:04:05.678Z","level":"info","logger":"agent","message":"m"}"#),
        ] {
            let lines = Lines()
            let log = DaemonLog(
                LogConfiguration(level: .trace, format: format), clock: { (1_767_323_045, 678_900_000) }, isForJournal: true,
                output: lines.add)
            for level in [Logger.Level.critical, .error, .warning, .notice, .info, .debug, .trace] {
                log.logger(label: "agent").log(level: level, "m")
            }
            #expect(lines.all.map { $0.prefix(3) } == ["<2>", "<3>", "<4>", "<5>", "<6>", "<7>", "<7>"])
            #expect(lines.all[4] == "<6>\(line)\n")
        }
    }

    @Test("a JSON record is one object per line, with nested metadata")
    func json() throws {
        let logger = lines.log(LogConfiguration(level: .info, format: .json)).logger(label: "agent")
        logger.warning("two\nlines \u{1}\"", metadata: ["list": ["a", "b"], "map": ["k": "v"], "n": "\(7)"])
        let line = try #require(lines.all.first)
        #expect(
            line == #"{"time":"2026-01-02T03:04:05.678Z","level":"warning","logger":"agent","message":"two\nlines \u0001\"","#
                + #""metadata":{"list":["a","b"],"map":{"k":"v"},"n":"7"}}"# + "\n")
        _ = try JSONSerialization.jsonObject(with: Data(line.utf8))
    }

    @Test(
        "no text makes a second line or reaches the terminal raw",
        arguments: ["a\nb", "a\r\nb", "\u{1b}[31m", "\u{2028}", "\u{85}", "\u{202e}", "\0", "\u{7f}"],
        [LogConfiguration.Format.text, .json])
    func injection(text: String, format: LogConfiguration.Format) throws {
        let logger = lines.log(LogConfiguration(format: format)).logger(label: text)
        logger.error("\(text)", metadata: [text: "\(text)", "nested": [text: [.string(text)]]])
        let line = try #require(lines.all.first)
        #expect(line.last == "\n")
        #expect(
            !line.dropLast().unicodeScalars.contains { text.unicodeScalars.contains($0) && !"ab[31m".unicodeScalars.contains($0) }
        )
        if format == .json {
            let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            #expect(object["message"] as? String == text)
        }
    }

    @Test("the level can be changed while loggers exist; a logger with a level of its own keeps it")
    func level() {
        let log = lines.log(LogConfiguration(level: .warning))
        let logger = log.logger(label: "a")
        var own = log.logger(label: "b")
        own.logLevel = .error
        logger.info("dropped")
        log.reconfigure(LogConfiguration(level: .debug, format: .json))
        logger.debug("kept")
        own.warning("dropped")
        #expect(lines.all.count == 1)
        #expect(lines.all.first?.contains("\"kept\"") == true)
    }

    @Test("metadata of the record wins over the logger's, and an error is shown")
    func metadata() {
        var logger = lines.log(LogConfiguration()).logger(label: "a")
        logger[metadataKey: "kid"] = "1"
        logger[metadataKey: "issuer"] = "demo"
        logger.info("m", error: Failure(description: "C_Sign: CKR_PIN_LOCKED"), metadata: ["kid": "2"])
        #expect(lines.all.first?.hasSuffix("m error=\"C_Sign: CKR_PIN_LOCKED\" issuer=demo kid=2\n") == true)
    }

    @Test(
        "times are written in UTC",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.000Z"), (951_782_400, "2000-02-29T00:00:00.000Z"),
            (4_107_542_399, "2100-02-28T23:59:59.000Z"), (253_402_300_799, "9999-12-31T23:59:59.000Z"),
        ])
    func times(seconds: Int64, text: String) {
        let lines = Lines()
        DaemonLog(LogConfiguration(), clock: { (seconds, 0) }, output: lines.add).logger(label: "a").info("m")
        #expect(lines.all.first?.hasPrefix(text) == true)
    }

    @Test("the log section has defaults and refuses a level nobody knows")
    func configuration() throws {
        #expect(try StrictYAML.decode(LogConfiguration.self, from: "{}", file: "f") == LogConfiguration())
        #expect(
            try StrictYAML.decode(LogConfiguration.self, from: "{level: debug, format: json}", file: "f")
                == LogConfiguration(level: .debug, format: .json))
        let error = #expect(throws: ConfigurationError.self) {
            try StrictYAML.decode(LogConfiguration.self, from: "level: inof", file: "f")
        }
        #expect(error?.description == "f:1:8: \"level\" cannot be \"inof\"; did you mean \"info\"?")
    }
}
