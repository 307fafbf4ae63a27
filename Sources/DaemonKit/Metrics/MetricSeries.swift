import CoreMetrics
import Platform

/// The values of one name with one set of labels.
protocol MetricSeries: Sendable {
    /// What is rendered: the suffix of the name, a further label, the value.
    func samples() -> [MetricSample]
}

struct MetricSample {
    var suffix = ""
    var label = ""
    let value: Double
}

/// A number that only grows.
final class CounterSeries: MetricSeries, CounterHandler, FloatingPointCounterHandler {
    private let total = Locked<Double>(0)

    func increment(by amount: Int64) { increment(by: Double(amount)) }

    func increment(by amount: Double) {
        // A counter that falls would be read as a restart of the process.
        guard amount > 0, amount.isFinite else { return }
        total.withLock { $0 += amount }
    }

    func reset() { total.withLock { $0 = 0 } }

    func samples() -> [MetricSample] { [MetricSample(value: total.withLock { $0 })] }
}

/// A number that is as it was last set.
final class GaugeSeries: MetricSeries, MeterHandler, RecorderHandler {
    private let value = Locked<Double>(0)

    func set(_ new: Int64) { set(Double(new)) }
    func set(_ new: Double) { value.withLock { $0 = new } }
    func increment(by amount: Double) { value.withLock { $0 += amount } }
    func decrement(by amount: Double) { value.withLock { $0 -= amount } }
    func record(_ new: Int64) { set(Double(new)) }
    func record(_ new: Double) { set(new) }

    func samples() -> [MetricSample] { [MetricSample(value: value.withLock { $0 })] }
}

/// How many values there were up to each bound, their number and sum.
final class HistogramSeries: MetricSeries, RecorderHandler, TimerHandler {
    private struct State {
        /// Not cumulative; the last is for values above every bound.
        var counts: [UInt64]
        var sum: Double = 0
    }

    private let bounds: [Double]
    private let state: Locked<State>

    init(bounds: [Double]) {
        self.bounds = bounds
        state = Locked(State(counts: [UInt64](repeating: 0, count: bounds.count + 1)))
    }

    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1_000_000_000) }

    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        guard !value.isNaN else { return }
        let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
        state.withLock {
            $0.counts[bucket] += 1
            $0.sum += value
        }
    }

    func samples() -> [MetricSample] {
        let state = state.withLock { $0 }
        var total: UInt64 = 0
        var samples: [MetricSample] = []
        for (index, count) in state.counts.enumerated() {
            total += count
            let bound = index < bounds.count ? PrometheusText.number(bounds[index]) : "+Inf"
            samples.append(MetricSample(suffix: "_bucket", label: "le=\"\(bound)\"", value: Double(total)))
        }
        samples.append(MetricSample(suffix: "_sum", value: state.sum))
        samples.append(MetricSample(suffix: "_count", value: Double(total)))
        return samples
    }
}
