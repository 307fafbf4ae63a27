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
        let tally = try await KillCampaign.run(count: count ?? 30, seed: seed) { line in
            if count != nil { print("campaign: \(line)") }
        }
        if count != nil {
            for (name, number) in tally.kills.sorted(by: { $0.key < $1.key }) { print("campaign: \(number)\t\(name)") }
            print("campaign: \(tally.total) kills, \(tally.checks) checks, \(tally.findings.count) findings, seed \(seed)")
        }
        #expect(tally.total >= count ?? 30 || !tally.findings.isEmpty)
        for finding in tally.findings { Issue.record("\(finding)") }
    }
}
