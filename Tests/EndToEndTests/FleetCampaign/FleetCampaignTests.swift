import EtcdSupport
import FleetHistory
import FleetSupport
import Foundation
import Testing

/// `PRIVYSEAL_FLEET_MINUTES`, `PRIVYSEAL_SEED`, `PRIVYSEAL_FLEET_AGENTS` and `PRIVYSEAL_FLEET_HISTORY` make it longer, another one,
/// one of a single agent, and keep what happened; `PRIVYSEAL_FLEET_JUDGE` judges that again; see `scripts/soak fleet`.
@Suite("A fleet to which bad things happen")
struct FleetCampaignTests {
    @Test("of one agent with a store of its own signs nothing that does not verify, and loses no key")
    func alone() async throws {
        let outcome = try await FleetCampaign(seed: 1, seconds: 40, isShared: false) { _ in }.run()
        expectWell(outcome)
    }

    @Test("of three agents does so too, and keeps to what it says of the others", .enabled(if: EtcdServer.isInstalled))
    func shared() async throws {
        let outcome = try await FleetCampaign(seed: 1, seconds: 110, isShared: true, historyPath: Soak().history) { _ in }.run()
        expectWell(outcome)
        #expect(outcome.tally["settled", default: 0] > 3 && outcome.things > 8, "\(outcome.tally)")
    }

    /// What must have happened for it to have shown anything, and what must not have.
    private func expectWell(_ outcome: FleetCampaign.Outcome) {
        let tally = outcome.tally
        #expect(tally["signatures", default: 0] > 100 && tally["documents", default: 0] > 20, "\(tally)")
        #expect(tally["rotate: done", default: 0] > 3 && outcome.report.looked["revoked keys", default: 0] > 0, "\(tally)")
        #expect(tally.keys.allSatisfy { !$0.hasPrefix("happened: failed") }, "\(tally)")
        #expect(outcome.report.looked["last documents", default: 0] > 0, "\(outcome.report.looked)")
        // Where operators decide while clocks are hours apart, it cannot be told from two logs what came first.
        if tally["recoveries"] == nil { #expect(outcome.isAuditIntact, "\(outcome.remarks)") }
        for violation in outcome.report.violations.prefix(20) { Issue.record("\(violation) \(outcome.remarks)") }
    }

    @Test("the mutants that a campaign must find out can still be made, and nothing of them is in the sources")
    func mutants() async throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().path
        let checked = try await Programs.run(at: "/usr/bin/python3", ["-B", root + "/scripts/tools/mutant.py", "check"])
        #expect(checked.status == 0, "\(checked.errors)")
    }

    @Test("the same seed makes the same things happen")
    func schedule() {
        for isShared in [true, false] {
            let one = FleetNemesis.schedule(seed: 7, seconds: 3_600, isShared: isShared)
            #expect(one == FleetNemesis.schedule(seed: 7, seconds: 3_600, isShared: isShared))
            #expect(one != FleetNemesis.schedule(seed: 8, seconds: 3_600, isShared: isShared))
            #expect(one.allSatisfy { $0.count > 60 })
        }
        let names = Set(FleetNemesis.schedule(seed: 1, seconds: 7_200, isShared: true).joined().map(\.name))
        #expect(names.count == 22, "\(names.sorted())")
    }
}

extension FleetCampaignTests {
    /// What `scripts/soak fleet` starts.
    @Test("goes on for as long as it is told to", .enabled(if: Soak.minutes != nil))
    func soak() async throws {
        let soak = Soak()
        let campaign = FleetCampaign(
            seed: soak.seed, seconds: (Soak.minutes ?? 1) * 60, isShared: soak.agents > 1, historyPath: soak.history,
            report: Soak.tell)
        let outcome = try await campaign.run()
        for line in outcome.lines { Soak.tell(line) }
        Soak.tell(
            "\(outcome.tally["signatures", default: 0]) signatures, \(outcome.tally["changes", default: 0]) changes, \(outcome.things) things happened, \(outcome.report.violations.count) violations, seed \(soak.seed)"
        )
        expectWell(outcome)
    }

    /// The one thing by itself that `scripts/soak fleet` does every eight minutes.
    @Test(
        "of three agents signs nothing by an etcd that was put back, and goes on once an operator has recovered it",
        .enabled(if: Soak.minutes != nil && EtcdServer.isInstalled && EtcdCluster.hasClient, "it takes minutes"))
    func restored() async throws {
        let outcome = try await FleetCampaign(seed: 1, seconds: 160, isShared: true, round: 30) { _ in }.run()
        expectWell(outcome)
        #expect(outcome.report.looked["recoveries"] == 1, "\(outcome.tally)")
    }

    /// What `scripts/soak fleet --judge` starts.
    @Test("is judged again", .enabled(if: Soak.judged != nil))
    func judge() async throws {
        var outcome = FleetCampaign.Outcome()
        (outcome.report, outcome.tally) = await FleetCampaign.judge(try History.read(Soak.judged ?? ""))
        for line in outcome.lines { Soak.tell(line) }
        #expect(outcome.report.violations.isEmpty)
    }

    /// What the environment says of it.
    struct Soak {
        private static let environment = ProcessInfo.processInfo.environment
        static var minutes: Int? { environment["PRIVYSEAL_FLEET_MINUTES"].flatMap { Int($0) } }
        static var judged: String? { environment["PRIVYSEAL_FLEET_JUDGE"] }
        let seed = environment["PRIVYSEAL_SEED"].flatMap { UInt64($0) } ?? 1
        let agents = environment["PRIVYSEAL_FLEET_AGENTS"].flatMap { Int($0) } ?? 3
        let history = environment["PRIVYSEAL_FLEET_HISTORY"].flatMap { $0.isEmpty ? nil : $0 }

        static func tell(_ line: String) {
            // Not `print`, which would keep it back until there is more.
            FileHandle.standardOutput.write(Data("campaign: \(line)\n".utf8))
        }
    }
}
