import KeyLifecycle
import Testing

@Suite("invariants")
struct InvariantTests {
    @Test(
        "no sequence of operations, whatever the clock does, breaks the invariants",
        arguments: [UInt64(0), 100, 200, 300, 400, 500])
    func walks(firstSeed: UInt64) throws {
        for seed in firstSeed..<(firstSeed + 60) {
            var walk = LifecycleWalk(seed: seed)
            do {
                try walk.walk(60)
            } catch {
                Issue.record("seed \(seed): \(error)\n\(walk.steps.joined(separator: "\n"))")
                return
            }
            guard walk.violations.isEmpty else {
                Issue.record(
                    "seed \(seed): \(walk.violations.joined(separator: "; "))\n\(walk.steps.joined(separator: "\n"))")
                return
            }
        }
    }

    @Test("the walks go through every kind of change")
    func coverage() throws {
        var commits: [String: Int] = [:]
        for seed in UInt64(0)..<60 {
            var walk = LifecycleWalk(seed: seed)
            try walk.walk(60)
            commits.merge(walk.commits, uniquingKeysWith: +)
        }
        let kinds = [
            "create", "delete", "rotate", "revoke", "revoke without a generator", "expire", "publish standby", "publish fresh",
            "scheduled rotation", "set profile", "set settings", "expire meanwhile", "revoke meanwhile",
            "rotate meanwhile", "rotate when safe", "awaited rotation", "cancel",
        ]
        for kind in kinds {
            #expect(commits[kind, default: 0] > 5, "\(kind)")
        }
    }

    @Test("a seed walks the same way twice")
    func reproducible() throws {
        var first = LifecycleWalk(seed: 42)
        var second = LifecycleWalk(seed: 42)
        try first.walk(60)
        try second.walk(60)
        #expect(first.steps == second.steps)
    }
}
