import Foundation
import Testing

/// `PRIVYSEAL_KILLS` and `PRIVYSEAL_SEED` make it longer and another one; see `scripts/soak kill`.
@Suite("A killed agent")
struct KillCampaignTests {
    @Test("loses no key and no acknowledged change, leaves none behind, and what it published still verifies")
    func campaign() async throws {
        let environment = ProcessInfo.processInfo.environment
        let count = environment["PRIVYSEAL_KILLS"].flatMap(Int.init)
        let seed = environment["PRIVYSEAL_SEED"].flatMap(UInt64.init) ?? 1
        func report(_ line: String) {
            // Not `print`, which would keep it back until there is more.
            if count != nil { FileHandle.standardOutput.write(Data("campaign: \(line)\n".utf8)) }
        }
        let tally = try await KillCampaign.run(count: count ?? 30, seed: seed, report: report)
        for (name, number) in tally.kills.sorted(by: { $0.key < $1.key }) { report("\(number)\t\(name)") }
        report("\(tally.total) kills, \(tally.checks) checks, \(tally.findings.count) findings, seed \(seed)")
        #expect(tally.total >= count ?? 30 || !tally.findings.isEmpty)
        for finding in tally.findings { Issue.record("\(finding)") }
    }
}
