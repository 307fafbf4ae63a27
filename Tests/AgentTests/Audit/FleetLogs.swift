import AgentProtocol
import Foundation
import Platform
import TestSupport

@testable import Agent

/// The logs of three agents that share a store, written record by record as their agents would, and changed as somebody might.
final class FleetLogs {
    let directory: String
    private(set) var logs: [String: Log] = [:]
    private var now = TestClock.start

    struct Log {
        let signer = SoftwareSigner()
        var texts: [(text: AuditText, at: Int64)] = []
        /// The last signed head.
        var head: (head: SignedHead, at: Int64)?

        /// The records as lines of a chain.
        var lines: [String] {
            var chain = AuditChain(after: nil)
            var bytes: [UInt8] = []
            for (text, at) in texts { chain.append(text, atMilliseconds: at * 1_000, to: &bytes) }
            return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
        }

        var last: AuditLink? { lines.last.flatMap { AuditLine(Array($0.utf8)[...])?.link } }
    }

    init(in directory: String) {
        self.directory = directory
    }

    func pass(_ seconds: Int64) { now += seconds }

    // MARK: What agents write

    func begin(_ agents: String...) {
        for agent in agents {
            logs[agent] = Log()
            write(.start, to: agent)
            write(.agent(agent, deployment: "d"), to: agent)
        }
    }

    /// Has every log begin a new file.
    func rotate() {
        for agent in logs.keys { write(.agent(agent, deployment: "d"), to: agent) }
    }

    /// Begins one anew, by the same key.
    func rewrite(_ agent: String) {
        logs[agent]?.texts = []
        write(.start, to: agent)
        write(.agent(agent, deployment: "d"), to: agent)
    }

    func write(_ text: AuditText, to agent: String) { logs[agent]?.texts.append((text, now)) }

    func operation(_ agent: String) { write(AuditText(.sample(), executable: nil), to: agent) }

    /// A change through all its steps, ten seconds after what was before.
    func change(
        _ agent: String, _ generation: Int, of issuer: String = "demo", revision: Int64, created isCreation: Bool = false,
        deleted isDeletion: Bool = false, steps: [AuditChange.Step] = [.begun, .made]
    ) {
        pass(10)
        var change = AuditChange(.begun, issuer: issuer, generation: generation)
        (change.isCreation, change.isDeletion) = (isCreation, isDeletion)
        for step in steps { write(.change(change.at(step, revision: step == .made ? revision : nil)), to: agent) }
    }

    /// - Parameter other: whose key signs, where that is another's.
    func sign(_ agent: String, by other: String? = nil) async throws {
        guard let link = logs[agent]?.last, let signer = logs[other ?? agent]?.signer else { return }
        let head = try await SignedHead(of: link, signedBy: signer)
        write(.head(head), to: agent)
        logs[agent]?.head = (head, now)
    }

    /// Has an agent note the last head of another.
    func note(_ other: String, by agent: String, _ head: SignedHead? = nil) {
        guard let (last, at) = logs[other]?.head else { return }
        write(.witness(head ?? last, of: other, signedAt: WireTime(seconds: at).text), to: agent)
    }

    /// Has every agent sign, and note what the others have.
    func exchange() async throws {
        for agent in logs.keys.sorted() { try await sign(agent) }
        for agent in logs.keys.sorted() {
            for other in logs.keys.sorted() where other != agent { note(other, by: agent) }
        }
    }

    /// What goes on after a while: requests, heads, what is noted of these.
    func goOn() async throws {
        pass(200)
        for agent in logs.keys.sorted() { operation(agent) }
        try await exchange()
    }

    // MARK: Files

    /// With the names of its agents, `a.log`.
    func save(_ change: (inout [String: [String]]) throws -> Void = { _ in }) throws {
        var lines = logs.mapValues(\.lines)
        try change(&lines)
        for (agent, lines) in lines {
            try (lines.joined(separator: "\n") + "\n").write(toFile: path(agent), atomically: true, encoding: .utf8)
        }
    }

    func path(_ agent: String) -> String { "\(directory)/\(agent).log" }

    var keys: [AuditPublicKey] {
        get throws {
            try logs.sorted { $0.key < $1.key }.flatMap { agent, log in
                try log.signer.publicKeys.flatMap { try AuditPublicKey.keys(pem: "agent: \(agent)\n\($0.pem)") }
            }
        }
    }

    func verification(
        _ agents: [String] = ["a", "b", "c"], keys isGivingKeys: Bool = true, expecting heads: [KnownHead] = []
    ) throws -> FleetAuditVerification {
        var verification = FleetAuditVerification(publicKeys: isGivingKeys ? try keys : [], expecting: heads)
        try verification.read(agents.map(path))
        return verification
    }
}

extension FleetAuditVerification {
    /// Everything that it says, a line each, without the directory.
    func said(in directory: String) -> [String] {
        let all =
            logs.flatMap { $0.verification.findings.map(\.description) + $0.verification.doubts.map(\.message) }
            + findings.map(\.description) + doubts.map(\.message) + remarks
        return all.map { $0.replacingOccurrences(of: directory + "/", with: "") }
    }
}
