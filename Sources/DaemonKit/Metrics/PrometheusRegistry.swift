public import CoreMetrics
import Platform

/// The process's metrics, rendered as Prometheus text (exposition format 0.0.4).
///
/// Counters become counters, meters and recorders that do not aggregate become gauges, recorders that do and timers become
/// histograms; a timer is in seconds and its name ends in `_seconds`. Making the same metric twice gives the same series.
public final class PrometheusRegistry: MetricsFactory, Sendable {
    /// The media type of ``render()``.
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// Upper bounds in seconds that suit a local request as well as a slow token.
    public static let defaultTimerBounds: [Double] = [
        0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ]

    /// Upper bounds for distributions of counts and sizes.
    public static let defaultRecorderBounds: [Double] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10_000, 100_000]

    private let families: Locked<[String: MetricFamily]> = Locked([:])
    private let help: [String: String]
    private let timerBounds: [Double]
    private let recorderBounds: [Double]

    /// `help` has a sentence for each metric name as it is rendered. Bounds are ascending; `+Inf` is added.
    public init(
        help: [String: String] = [:],
        timerBounds: [Double] = PrometheusRegistry.defaultTimerBounds,
        recorderBounds: [Double] = PrometheusRegistry.defaultRecorderBounds
    ) {
        self.help = help
        self.timerBounds = timerBounds
        self.recorderBounds = recorderBounds
    }

    /// All metrics, by name and then by labels.
    public func render() -> String {
        families.withLock { $0 }.sorted { $0.key < $1.key }
            .map { name, family in family.text(name: name, help: help[name]) }
            .joined()
    }

    /// A counter.
    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        series(.counter, label, dimensions) { CounterSeries() }
    }

    /// A counter of fractions.
    public func makeFloatingPointCounter(label: String, dimensions: [(String, String)]) -> any FloatingPointCounterHandler {
        series(.counter, label, dimensions) { CounterSeries() }
    }

    /// A gauge.
    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        series(.gauge, label, dimensions) { GaugeSeries() }
    }

    /// A histogram when it aggregates, a gauge when it does not.
    public func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
        guard aggregate else { return series(.gauge, label, dimensions) { GaugeSeries() } }
        return series(.histogram, label, dimensions) { HistogramSeries(bounds: recorderBounds) }
    }

    /// A histogram of seconds.
    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        let name = label.hasSuffix("_seconds") ? label : label + "_seconds"
        return series(.histogram, name, dimensions) { HistogramSeries(bounds: timerBounds) }
    }

    // A series stays after its last handle: a counter that vanished and came back would look like a restart.
    /// Does nothing.
    public func destroyCounter(_ handler: any CounterHandler) {}
    /// Does nothing.
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {}
    /// Does nothing.
    public func destroyMeter(_ handler: any MeterHandler) {}
    /// Does nothing.
    public func destroyRecorder(_ handler: any RecorderHandler) {}
    /// Does nothing.
    public func destroyTimer(_ handler: any TimerHandler) {}

    /// The series of that name and these labels, made when it is new.
    ///
    /// A name has one kind. A second kind gets a series of its own that is not rendered: two kinds under one name would make
    /// the whole page unreadable.
    private func series<Series: MetricSeries>(
        _ kind: MetricFamily.Kind, _ label: String, _ dimensions: [(String, String)], make: @Sendable () -> Series
    ) -> Series {
        let name = PrometheusText.name(label)
        let labels = PrometheusText.labels(dimensions)
        return families.withLock { families in
            var family = families[name] ?? MetricFamily(kind: kind)
            if family.kind == kind, let known = family.series[labels] as? Series { return known }
            let new = make()
            if family.kind == kind, family.series[labels] == nil {
                family.series[labels] = new
                families[name] = family
            }
            return new
        }
    }
}

/// All series of one name.
struct MetricFamily: Sendable {
    enum Kind: String {
        case counter, gauge, histogram
    }

    let kind: Kind
    /// By rendered labels.
    var series: [String: any MetricSeries] = [:]

    func text(name: String, help: String?) -> String {
        var text = ""
        if let help { text += "# HELP \(name) \(PrometheusText.help(help))\n" }
        text += "# TYPE \(name) \(kind.rawValue)\n"
        for (labels, series) in series.sorted(by: { $0.key < $1.key }) {
            for sample in series.samples() {
                let all = [labels, sample.label].filter { !$0.isEmpty }.joined(separator: ",")
                text += "\(name)\(sample.suffix)\(all.isEmpty ? "" : "{\(all)}") \(PrometheusText.number(sample.value))\n"
            }
        }
        return text
    }
}
