import Benchmark
import SigningSteps

/// The steps for `swift package benchmark`: by instructions where all of a step happens on one thread, since others are not
/// counted, and by time for information.
let benchmarks: @Sendable () -> Void = {
    for step in SigningStep.all {
        let metrics: [BenchmarkMetric] = step.isOnOneThread ? [.instructions, .wallClock] : [.wallClock]
        let configuration = Benchmark.Configuration(
            metrics: metrics, warmupIterations: 3, scalingFactor: step.isOnOneThread ? .kilo : .one,
            maxDuration: .seconds(1), maxIterations: 100)
        let running = Running()
        Benchmark(step.name, configuration: configuration) { benchmark, prepared in
            blackHole(try prepared.repeated(benchmark.scaledIterations.count))
        } setup: {
            let prepared = try await step.prepared()
            running.step = prepared
            return prepared
        } teardown: {
            await running.step?.end()
        }
    }
}

/// What a benchmark has prepared, for its end.
private final class Running {
    var step: PreparedStep?
}
