import FleetHistory
import Testing

/// The checker is held to histories that nobody wrote by hand: a fleet that does as it must, and ones that leave one thing out.
@Suite("The checker and a model of a fleet")
struct ModelFleetTests {
    private static let seeds: ClosedRange<UInt64> = 1...12

    @Test("find nothing in one that keeps to everything", arguments: seeds)
    func sound(seed: UInt64) async {
        let report = await ModelFleet.run(nil, seed: seed)
        #expect(report.violations.isEmpty, "\(report.violations.prefix(5))")
        #expect(report.looked["signatures", default: 0] > 500 && report.looked["documents", default: 0] > 300)
        #expect(report.looked["generations", default: 0] > 3)
    }

    @Test("find what one does wrong, in most of the histories, and name the rule", arguments: ModelFleet.Fault.allCases)
    func faulty(fault: ModelFleet.Fault) async {
        let kinds: Set<Violation.Kind> =
            switch fault {
            case .noFence, .noSecondLook, .trustsWatch, .settlesAtOnce:
                [.signedAfterRevocation, .oldKeyAfterRotation, .outlivesKey]
            case .wrongClock: [.keyGone]
            case .noComparison: [.ringsDiffer, .twoActiveKeys, .twoWinners, .keyGone]
            }
        var caught = 0
        for seed in Self.seeds {
            let found = Set(await ModelFleet.run(fault, seed: seed).violations.map(\.kind))
            if !found.isDisjoint(with: kinds) { caught += 1 }
        }
        #expect(caught * 2 > Self.seeds.count, "\(fault): in \(caught) of \(Self.seeds.count)")
    }
}
