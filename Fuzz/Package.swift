// swift-tools-version: 6.2
import PackageDescription

// Built by scripts/fuzz, which gives the compiler the sanitizers for every module.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// What comes with the packages that PrivySeal names, at the versions it has there: its pins of them do not count here.
let pins: KeyValuePairs<String, Version> = [
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
    name: "PrivySealFuzz",
    dependencies: [.package(name: "PrivySeal", path: "..")]
        + pins.map { repository, version in
            .package(
                url: "https://github.com/\(repository)", exact: version,
                traits: repository == "apple/swift-configuration" ? [] : [.defaults])
        },
    targets: [
        .target(name: "CLibFuzzer"),
        .executableTarget(
            name: "fuzz",
            dependencies: ["CLibFuzzer", .product(name: "FuzzProperties", package: "PrivySeal")], swiftSettings: settings),
    ]
)
