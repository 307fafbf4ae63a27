import AgentProtocol
import CoreMetrics
import DaemonKit
import Foundation
import KeyLifecycle
import Logging
import Platform

@testable import Agent

/// The parts of an agent that a request passes, with rules, an issuer and clocks as they are in service.
struct SampleAgent: Sendable {
    let caller: Caller
    let clock = AgentClock(
        wall: { Timestamp(seconds: WallClock.now().seconds) }, monotonic: { MonotonicClock.nanoseconds() },
        wallMilliseconds: {
            let now = WallClock.now()
            return now.seconds * 1_000 + Int64(now.nanoseconds / 1_000_000)
        })
    let log: Logger
    let gate: Gate
    let board = SigningBoard()
    let policy: ClaimsPolicy

    private static let metrics: Void = MetricsSystem.bootstrap(PrometheusRegistry())

    init() throws {
        Self.metrics
        let own = PeerCredentials.ofThisProcess
        caller = Caller(uid: own.uid, gid: own.gid, pid: own.pid, user: "cart")
        log = Logger(label: "steps") { _ in SwiftLogNoOpLogHandler() }
        gate = Gate(policy: try SampleIssuer.access(for: own.uid), clock: clock, log: log)
        policy = try SampleIssuer.policy()
    }

    /// Puts the key in place for the issuer.
    func install(_ key: KeyReference) {
        board.install(SigningState(key: key, policy: policy), for: SampleIssuer.name)
    }

    func auditLog(in directory: SampleDirectory) throws -> AuditLog {
        try AuditLog(AuditConfiguration(path: directory.path + "/audit.log", headInterval: nil), clock: clock, log: log)
    }

    /// A log whose file is nothing.
    func auditLogWithoutFile() throws -> AuditLog {
        try AuditLog(AuditConfiguration(path: "audit.log", headInterval: nil), clock: clock, log: log) { _ in DiscardingFile() }
    }

    /// What is recorded of a signature: what `sign` fills in beside.
    func entry(_ request: SignRequest, _ key: KeyReference) -> AuditEntry {
        var entry = AuditEntry(caller, .sign, at: clock.monotonic())
        entry.record.issuer = request.issuer
        entry.record.sub = request.claims.subject
        entry.record.aud = request.claims.audience
        entry.record.kid = key.kid
        entry.record.jti = "5a3d0c0e-3f6b-4a79-8a55-0f1d0c9f4b1e"
        entry.record.lifetime = 3_600
        return entry
    }
}

/// A directory of one step's files, in memory where the machine has such a place.
struct SampleDirectory: Sendable {
    let path: String

    private static let inMemory = "/dev/shm"

    init() throws {
        let parent = FileManager.default.isWritableFile(atPath: Self.inMemory) ? Self.inMemory : NSTemporaryDirectory()
        path = parent + "/privyseal-step-" + SystemRandom.hexadecimal(bytes: 8)
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
    }

    func remove() {
        try? FileManager.default.removeItem(atPath: path)
    }
}

/// Takes every byte and keeps none.
private final class DiscardingFile: AuditFile {
    let identity = "nothing"
    private let length = Locked(0)

    func hasName() throws(PlatformError) -> Bool { true }
    func write(_ bytes: [UInt8], from offset: Int) throws(PlatformError) -> Int {
        length.withLock { $0 += bytes.count - offset }
        return bytes.count - offset
    }
    func size() throws(PlatformError) -> Int { length.withLock { $0 } }
    func truncate(to size: Int) throws(PlatformError) {}
    func synchronize() throws(PlatformError) {}
    func read(at offset: Int, count: Int) throws(PlatformError) -> [UInt8] { [] }
    func unlock() {}
}
