// swift-tools-version: 6.2
import PackageDescription

// Built by scripts/bench-steps, which has the agent's modules built so that their internals can be measured.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// What measures; what the steps import; and what comes with the packages that PrivySeal names, at the versions it has there:
/// its pins of them do not count here.
let pins: KeyValuePairs<String, Version> = [
    "HdrHistogram/hdrhistogram-swift": "0.2.0",
    "ordo-one/TextTable": "0.0.2",
    "ordo-one/benchmark": "1.38.1",

    "apple/swift-log": "1.16.2",
    "apple/swift-metrics": "2.13.0",

    "apple/swift-algorithms": "1.2.1",
    "apple/swift-asn1": "1.7.4",
    "apple/swift-async-algorithms": "1.1.4",
    "apple/swift-atomics": "1.3.0",
    "apple/swift-certificates": "1.21.1",
    "apple/swift-configuration": "1.4.0",
    "apple/swift-distributed-tracing": "1.7.3",
    "apple/swift-http-structured-headers": "1.7.0",
    "apple/swift-http-types": "1.8.0",
    "apple/swift-nio-extras": "1.35.2",
    "apple/swift-nio-http2": "1.46.0",
    "apple/swift-nio-transport-services": "1.28.0",
    "apple/swift-numerics": "1.1.1",
    "apple/swift-service-context": "1.5.1",
    "apple/swift-system": "1.8.1",
    "swift-server/async-http-client": "1.37.0",
]

let package = Package(
    name: "PrivySealBenchmarks",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "PrivySeal", path: "..")]
        + pins.map { repository, version in
            .package(
                url: "https://github.com/\(repository)", exact: version,
                traits: ["apple/swift-configuration", "ordo-one/benchmark"].contains(repository) ? [] : [.defaults])
        },
    targets: [
        // Also compiled, and each step done once, by the tests of the root package.
        .target(
            name: "SigningSteps",
            dependencies: [
                .product(name: "AgentProtocol", package: "PrivySeal"),
                .product(name: "JOSE", package: "PrivySeal"),
                .product(name: "MeasuredAgent", package: "PrivySeal"),
                .product(name: "PKCS11", package: "PrivySeal"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "Logging", package: "swift-log"),
            ],
            exclude: ["Tests"], swiftSettings: settings),
        // The plugin takes as benchmarks what lies in a directory called Benchmarks, which is this one.
        .executableTarget(
            name: "Steps", dependencies: ["SigningSteps", .product(name: "Benchmark", package: "benchmark")], path: "Steps",
            swiftSettings: settings, plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]),
        // What callgrind runs.
        .executableTarget(name: "repeat-step", dependencies: ["SigningSteps"], swiftSettings: settings),
    ]
)
