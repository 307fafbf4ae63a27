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

let package = Package(
    name: "PrivySealBenchmarks",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "PrivySeal", path: ".."),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.1", traits: []),
    ],
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
            swiftSettings: settings),
        // The plugin takes as benchmarks what lies in a directory called Benchmarks, which is this one.
        .executableTarget(
            name: "Steps", dependencies: ["SigningSteps", .product(name: "Benchmark", package: "benchmark")], path: "Steps",
            swiftSettings: settings, plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]),
        // What callgrind runs.
        .executableTarget(name: "repeat-step", dependencies: ["SigningSteps"], swiftSettings: settings),
    ]
)
