import AgentProtocol
import Crypto
import Foundation
import JOSE
import Logging
import Platform
import Testing

@testable import Agent

/// An audit log in a directory of its own, with a clock the test sets.
final class AuditFixture: Sendable {
    let directory: String
    let clock = TestClock()
    /// How the files the log opens fail.
    let faults = AuditFaults()

    var path: String { directory + "/audit.log" }

    static func with(_ body: (AuditFixture) async throws -> Void) async throws {
        let fixture = AuditFixture()
        try FileManager.default.createDirectory(atPath: fixture.directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: fixture.directory) }
        try await body(fixture)
    }

    private init() {
        directory = FileManager.default.temporaryDirectory.path + "/privyseal-audit-" + SystemRandom.hexadecimal(bytes: 8)
    }

    /// A log that looks after itself every hour at most, unless the test lets time pass.
    func open() throws -> AuditLog {
        try AuditLog(
            AuditConfiguration(path: path), clock: clock.agentClock, log: Logger(label: "audit") { _ in SwiftLogNoOpLogHandler() }
        ) { [faults] in FaultyAuditFile(try AppendedFile(path: $0), faults) }
    }

    /// Opens a log, calls, and closes it.
    func logged(_ body: (AuditLog) async throws -> Void) async throws {
        let log = try open()
        do {
            try await body(log)
        } catch {
            await log.close()
            throw error
        }
        await log.close()
    }

    /// A log of so many records, the start among them.
    func write(_ count: Int) async throws {
        try await logged { log in
            for number in 1..<count { try await log.written(.sample(number)) }
        }
    }

    func lines(_ path: String? = nil) throws -> [String] {
        let text = String(decoding: try Data(contentsOf: URL(fileURLWithPath: path ?? self.path)), as: UTF8.self)
        return text.split(separator: "\n").map(String.init)
    }

    func replace(_ lines: [String], ending: String = "\n", _ path: String? = nil) throws {
        try (lines.joined(separator: "\n") + ending).write(toFile: path ?? self.path, atomically: false, encoding: .utf8)
    }

    /// Moves the file away as logrotate does.
    func rotate(to name: String = "audit.log.1") throws {
        try FileManager.default.moveItem(atPath: path, toPath: directory + "/" + name)
    }

    /// What is found in files of the directory, by file name and line.
    func findings(_ names: [String] = ["audit.log"], keys: [AuditPublicKey] = []) throws -> [String] {
        try verification(names, keys: keys).findings.map { $0.description.replacingOccurrences(of: directory + "/", with: "") }
    }

    func verification(
        _ names: [String] = ["audit.log"], keys: [AuditPublicKey] = [], expecting heads: [KnownHead] = [],
        headInterval: Int = 3_600
    ) throws -> AuditVerification {
        var verification = AuditVerification(publicKeys: keys, expecting: heads, headInterval: headInterval)
        try verification.read(names.map { directory + "/" + $0 })
        return verification
    }

    /// The record on a line, as somebody may have noted it.
    func head(ofLine line: Int, _ path: String? = nil) throws -> KnownHead {
        KnownHead(try #require(AuditLine(Array(try lines(path)[line].utf8)[...])).link)
    }

    /// Writes the file anew as whoever can write it might: the first lines as they are, and a right chain after them.
    ///
    /// - Parameter texts: the records, each with its time in seconds after the fixture's clock began.
    func forge(keeping count: Int, _ texts: [(AuditText, after: Int64)]) throws {
        let kept = try lines().prefix(count)
        var chain = AuditChain(after: kept.last.flatMap { AuditLine(Array($0.utf8)[...]) }?.link)
        var bytes = Array(kept.map { $0 + "\n" }.joined().utf8)
        for (text, after) in texts { chain.append(text, atMilliseconds: (TestClock.start + after) * 1_000, to: &bytes) }
        try Data(bytes).write(to: URL(fileURLWithPath: path))
    }

    /// Compresses a file of the directory as logrotate does, and returns the name it has then.
    @discardableResult
    func compress(_ name: String) throws -> String {
        let path = directory + "/" + name
        let content = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
        try Data(GzipFile.stored(content)).write(to: URL(fileURLWithPath: path + ".gz"))
        try FileManager.default.removeItem(atPath: path)
        return name + ".gz"
    }
}

/// gzip in its simplest form: blocks that are stored as they are (RFC 1952, RFC 1951 §3.2.4).
enum GzipFile {
    static func stored(_ content: [UInt8]) -> [UInt8] {
        var file: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF]
        var rest = content[...]
        repeat {
            let block = rest.prefix(0xFFFF)
            rest = rest.dropFirst(block.count)
            file.append(rest.isEmpty ? 1 : 0)
            file += littleEndian(UInt16(block.count)) + littleEndian(~UInt16(block.count)) + block
        } while !rest.isEmpty
        return file + littleEndian(checksum(content)) + littleEndian(UInt32(truncatingIfNeeded: content.count))
    }

    private static func littleEndian<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
        (0..<Number.bitWidth / 8).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
    }

    /// CRC-32, RFC 1952 §8.
    private static func checksum(_ content: [UInt8]) -> UInt32 {
        var value = ~UInt32(0)
        for byte in content {
            value ^= UInt32(byte)
            for _ in 0..<8 { value = value & 1 == 1 ? (value >> 1) ^ 0xEDB8_8320 : value >> 1 }
        }
        return ~value
    }
}

extension AuditRecord {
    static func sample(_ number: Int = 1, outcome: Outcome = .allowed) -> AuditRecord {
        AuditRecord(
            caller: Caller(uid: 1000, gid: 1000, pid: getpid(), user: "payments"), method: .sign, issuer: "prod", kid: "kid-1",
            jti: "jti-\(number)", sub: "system:serviceaccount:payments:api", aud: ["sts.amazonaws.com"], lifetime: 3600,
            outcome: outcome, durationMicroseconds: 412)
    }
}

extension AuditLog {
    /// Records, and throws when it could not be written.
    func written(_ record: AuditRecord) async throws {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            self.record(record) { receipt in
                if let error = receipt.error { continuation.resume(throwing: error) } else { continuation.resume() }
            }
        }
    }

    /// The record of a change before it: on the disk when this returns.
    func attempt(_ record: AuditRecord) async throws {
        if let error = await outcome(record) { throw error }
    }

    /// The record of a change after it; on the disk when this returns `nil`.
    func outcome(_ record: AuditRecord) async -> AuditError? {
        await recordedOnDisk(record).error
    }
}

/// What goes wrong with a file, when the test says so.
final class AuditFaults: Sendable {
    struct Switches: Sendable {
        /// Bytes that still fit on the disk.
        var room = Int.max
        var isTruncateFailing = false
        var isSyncFailing = false
        var isSyncHanging = false
        var isWriteHanging = false
        var syncs = 0
        var writes = 0
    }

    let switches = Locked(Switches())

    func set(_ change: (inout Switches) -> Void) {
        switches.withLock { change(&$0) }
    }
}

final class FaultyAuditFile: AuditFile {
    private let file: AppendedFile
    private let faults: AuditFaults

    init(_ file: AppendedFile, _ faults: AuditFaults) {
        self.file = file
        self.faults = faults
    }

    var identity: String { file.identity }

    func hasName() throws(PlatformError) -> Bool { try file.hasName() }

    func write(_ bytes: [UInt8], from offset: Int) throws(PlatformError) -> Int {
        let room = faults.switches.withLock { switches in
            switches.writes += 1
            return switches.room
        }
        while faults.switches.withLock({ $0.isWriteHanging }) { Thread.sleep(forTimeInterval: 0.02) }
        guard room < bytes.count - offset else { return try file.write(bytes, from: offset) }
        guard room > 0 else { throw Self.full }
        let written = try file.write(Array(bytes[..<(offset + room)]), from: offset)
        faults.set { $0.room -= written }
        return written
    }

    func size() throws(PlatformError) -> Int { try file.size() }

    func truncate(to size: Int) throws(PlatformError) {
        if faults.switches.withLock({ $0.isTruncateFailing }) { throw Self.full }
        try file.truncate(to: size)
    }

    func synchronize() throws(PlatformError) {
        let isFailing = faults.switches.withLock { switches in
            switches.syncs += 1
            return switches.isSyncFailing
        }
        while faults.switches.withLock({ $0.isSyncHanging }) { Thread.sleep(forTimeInterval: 0.02) }
        if isFailing { throw Self.full }
        try file.synchronize()
    }

    func read(at offset: Int, count: Int) throws(PlatformError) -> [UInt8] { try file.read(at: offset, count: count) }

    func unlock() { file.unlock() }

    private static let full = PlatformError(.systemCall, "write: No space left on device", hint: "make room")
}

/// An audit key in memory.
struct SoftwareSigner: HeadSigner {
    private let key = P256.Signing.PrivateKey()

    var publicKeys: [AuditPublicKey] {
        get throws { try AuditPublicKey.keys(pem: key.publicKey.pemRepresentation) }
    }

    func sign(_ statement: [UInt8]) async throws -> (signature: [UInt8], kid: String) {
        (Array(try key.signature(for: Data(statement)).rawRepresentation), try publicKeys[0].kid)
    }
}
