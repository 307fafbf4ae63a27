import CoreMetrics
import DaemonKit
import Testing

@Suite struct PrometheusRegistryTests {
    @Test("counters, gauges and histograms are rendered in order, whatever order they were made in")
    func render() {
        let registry = PrometheusRegistry(
            help: ["signs_total": "JWTs signed.\nAll."], timerBounds: [0.1, 1], recorderBounds: [10])
        registry.makeRecorder(label: "queue", dimensions: [], aggregate: true).record(Int64(11))
        let timer = registry.makeTimer(label: "sign", dimensions: [("alg", "RS256")])
        for nanoseconds: Int64 in [100_000_000, 500_000_000, 2_000_000_000] { timer.recordNanoseconds(nanoseconds) }
        registry.makeCounter(label: "signs_total", dimensions: [("issuer", "b"), ("alg", "ES256")]).increment(by: 2)
        registry.makeCounter(label: "signs_total", dimensions: [("alg", "ES256"), ("issuer", "a")]).increment(by: 1)
        registry.makeMeter(label: "connections", dimensions: []).set(2.5)
        registry.makeRecorder(label: "agent.up", dimensions: [], aggregate: false).record(Int64(1))
        #expect(
            registry.render() == """
                # TYPE agent_up gauge
                agent_up 1
                # TYPE connections gauge
                connections 2.5
                # TYPE queue histogram
                queue_bucket{le="10"} 0
                queue_bucket{le="+Inf"} 1
                queue_sum 11
                queue_count 1
                # TYPE sign_seconds histogram
                sign_seconds_bucket{alg="RS256",le="0.1"} 1
                sign_seconds_bucket{alg="RS256",le="1"} 2
                sign_seconds_bucket{alg="RS256",le="+Inf"} 3
                sign_seconds_sum{alg="RS256"} 2.6
                sign_seconds_count{alg="RS256"} 3
                # HELP signs_total JWTs signed.\\nAll.
                # TYPE signs_total counter
                signs_total{alg="ES256",issuer="a"} 1
                signs_total{alg="ES256",issuer="b"} 2

                """)
    }

    @Test("the same name and labels are one series")
    func same() {
        let registry = PrometheusRegistry()
        registry.makeCounter(label: "c", dimensions: [("a", "1"), ("b", "2")]).increment(by: 1)
        registry.makeCounter(label: "c", dimensions: [("b", "2"), ("a", "1")]).increment(by: 1)
        registry.makeFloatingPointCounter(label: "c", dimensions: [("b", "2"), ("a", "1")]).increment(by: 0.5)
        #expect(registry.render() == "# TYPE c counter\nc{a=\"1\",b=\"2\"} 2.5\n")
    }

    @Test("a counter does not fall")
    func monotonic() {
        let registry = PrometheusRegistry()
        let counter = registry.makeFloatingPointCounter(label: "c", dimensions: [])
        for amount in [1, -5, Double.nan, .infinity] { counter.increment(by: amount) }
        #expect(registry.render() == "# TYPE c counter\nc 1\n")
    }

    @Test("a meter goes up and down")
    func meter() {
        let registry = PrometheusRegistry()
        let meter = registry.makeMeter(label: "m", dimensions: [])
        meter.increment(by: 3)
        meter.decrement(by: 1)
        #expect(registry.render() == "# TYPE m gauge\nm 2\n")
    }

    @Test("a name taken by another kind does not spoil the page")
    func kinds() {
        let registry = PrometheusRegistry()
        registry.makeCounter(label: "x", dimensions: []).increment(by: 1)
        registry.makeMeter(label: "x", dimensions: []).set(Int64(9))
        #expect(registry.render() == "# TYPE x counter\nx 1\n")
    }

    @Test(
        "names are made of what Prometheus allows",
        arguments: [
            ("http.requests", "http_requests"), ("9lives", "_9lives"), ("a:b", "a:b"), ("", "_"), ("größe", "gr__e"),
            ("a-b c", "a_b_c"),
        ])
    func names(label: String, name: String) {
        let registry = PrometheusRegistry()
        registry.makeCounter(label: label, dimensions: []).increment(by: 1)
        #expect(registry.render() == "# TYPE \(name) counter\n\(name) 1\n")
    }

    @Test("label values are escaped and label names cleaned")
    func labels() {
        let registry = PrometheusRegistry()
        registry.makeCounter(label: "c", dimensions: [("a:b", "x\"y\\z\nw")]).increment(by: 1)
        #expect(registry.render() == #"# TYPE c counter"# + "\n" + #"c{a_b="x\"y\\z\nw"} 1"# + "\n")
    }

    @Test("increments from many tasks all count")
    func parallel() async {
        let registry = PrometheusRegistry()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<500 { registry.makeCounter(label: "c", dimensions: []).increment(by: 1) }
                }
            }
        }
        #expect(registry.render() == "# TYPE c counter\nc 4000\n")
    }
}
