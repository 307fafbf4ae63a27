import AgentClient
import FaultyTokenSupport
import Foundation
import TestSupport

/// Kills a running agent again and again, and looks each time at what has become of its keys.
///
/// Half of the kills come at random moments under load, the others at a step of a change at which the agent is held. The
/// moments follow from the seed.
final class KillCampaign {
    let site: Installation
    let token: FaultyToken
    let ledger = Ledger()
    let findings = Findings()
    var generator: SeededGenerator
    var agent: Daemon
    /// The change that was asked for last.
    var running: Task<Void, any Error>?
    /// What keeps a fresh key from taking over.
    var frontend: AgentConnection?
    private(set) var tally = Tally()
    var store: StoreFiles { StoreFiles(directory: site.directory) }

    private init(_ site: Installation, _ token: FaultyToken, seed: UInt64) async throws {
        self.site = site
        self.token = token
        generator = SeededGenerator(seed: seed)
        agent = try await site.startAgent()
    }

    /// What came of a campaign.
    struct Tally {
        /// How often by kind and step.
        var kills: [String: Int] = [:]
        var checks = 0
        var findings: [String] = []
        var total: Int { kills.values.reduce(0, +) }
    }

    /// When to give up: what is found so often will be found again.
    private static let mostFindings = 10

    /// - Parameters:
    ///   - count: how many kills, or one more.
    ///   - report: gets a line now and then.
    static func run(count: Int, seed: UInt64, report: (String) -> Void = { _ in }) async throws -> Tally {
        var tally = Tally()
        var generator = SeededGenerator(seed: seed)
        var steps: [KillStep] = []
        while tally.total < count, tally.findings.count < mostFindings {
            // A fresh token and store now and then: SoftHSM gets slower with every object that a kill leaves half-written.
            let share = min(40, count - tally.total)
            try await Installation.withFaultyToken { site, token in
                let campaign = try await KillCampaign(site, token, seed: generator.next())
                try await campaign.prepare()
                while campaign.tally.total < share, campaign.findings.found.isEmpty {
                    if campaign.tally.total.isMultiple(of: 2) {
                        try await campaign.killAtRandom()
                    } else {
                        if steps.isEmpty { steps = KillStep.shuffled(using: &generator).reversed() }
                        try await campaign.kill(at: steps.removeLast())
                    }
                }
                try await campaign.verifyAuditLog()
                tally.kills.merge(campaign.tally.kills, uniquingKeysWith: +)
                tally.checks += campaign.findings.checks
                tally.findings += campaign.findings.found
                if !campaign.findings.found.isEmpty {
                    tally.findings.append("the end of the log: \(campaign.agent.text.suffix(3000))")
                }
            }
            report("\(tally.total) kills, \(tally.checks) checks, \(tally.findings.count) findings")
        }
        return tally
    }

    /// The chain goes on from one agent to the next, however each has ended.
    private func verifyAuditLog() async throws {
        let verified = try await Programs.run("privyseald", ["audit", "verify", site.directory + "/audit.log"])
        // Whether it is proven is not the question here: no key is given.
        findings.expect(verified.status == 4, "the audit log is not intact: \(verified.output)")
    }

    private func prepare() async throws {
        let client = try await site.connect()
        let requests = ChangeRequests(client: client, ledger: ledger)
        try await requests.create("a-first", "ES256")
        try await requests.create("b-first", "RS256")
        await client.close()
        try await inspection.afterRestart()
    }

    func kill(_ name: String) async {
        await agent.end(SIGKILL)
        tally.kills[name, default: 0] += 1
        findings.enter("kill \(tally.total), \(name)")
    }

    func inspectAfterKill() async throws {
        try await inspection.afterKill()
    }

    /// Starts the agent with a token that works, and looks at everything.
    func restart() async throws {
        try token.clear()
        agent = try await site.startAgent()
        try await inspection.afterRestart()
    }

    private var inspection: Inspection { Inspection(site: site, ledger: ledger, findings: findings) }
}
