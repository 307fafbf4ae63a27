// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

/// Every package that a build takes in, and the one version of it. The last are imported by none of the targets: they come
/// with the others and are named so that they, too, change on purpose alone.
let pins: KeyValuePairs<String, Version> = [
    "apple/swift-argument-parser": "1.8.2",
    "apple/swift-collections": "1.6.0",
    "apple/swift-crypto": "4.5.2",
    "apple/swift-log": "1.16.2",
    "apple/swift-metrics": "2.13.0",
    "apple/swift-nio": "2.101.2",
    "apple/swift-nio-ssl": "2.37.6",
    "groue/GRDB.swift": "7.10.0",
    "hummingbird-project/hummingbird": "2.28.1",
    "jpsim/Yams": "6.2.2",
    "swift-server/async-http-client": "1.37.0",
    "swift-server/swift-service-lifecycle": "2.13.0",
    "swiftlang/swift-subprocess": "1.0.2",
    "vapor/jwt-kit": "5.7.1",

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
]

/// Of which not even the default traits are wanted: what those bring is built and never used.
let withoutTraits: Set = ["apple/swift-configuration", "hummingbird-project/hummingbird"]

extension Target.Dependency {
    static let asyncHTTPClient = product(name: "AsyncHTTPClient", package: "async-http-client")
    static let argumentParser = product(name: "ArgumentParser", package: "swift-argument-parser")
    static let crypto = product(name: "Crypto", package: "swift-crypto")
    static let cryptoExtras = product(name: "CryptoExtras", package: "swift-crypto")
    static let dequeModule = product(name: "DequeModule", package: "swift-collections")
    static let grdb = product(name: "GRDB", package: "GRDB.swift")
    static let hummingbirdCore = product(name: "HummingbirdCore", package: "hummingbird")
    static let hummingbirdTLS = product(name: "HummingbirdTLS", package: "hummingbird")
    static let jwtKit = product(name: "JWTKit", package: "jwt-kit")
    static let logging = product(name: "Logging", package: "swift-log")
    static let metrics = product(name: "Metrics", package: "swift-metrics")
    static let coreMetrics = product(name: "CoreMetrics", package: "swift-metrics")
    static let nioEmbedded = product(name: "NIOEmbedded", package: "swift-nio")
    static let nioCore = product(name: "NIOCore", package: "swift-nio")
    static let nioHTTP1 = product(name: "NIOHTTP1", package: "swift-nio")
    static let nioPosix = product(name: "NIOPosix", package: "swift-nio")
    static let nioSSL = product(name: "NIOSSL", package: "swift-nio-ssl")
    static let serviceLifecycle = product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
    static let subprocess = product(name: "Subprocess", package: "swift-subprocess")
    static let unixSignals = product(name: "UnixSignals", package: "swift-service-lifecycle")
    static let yams = product(name: "Yams", package: "Yams")
}

/// A library of the product. `Sources/<name>`, tested by `Tests/<name>Tests`.
func library(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func executable(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies, swiftSettings: settings)
}

/// What several test targets share. `Tests/Support/<name>`.
func support(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, path: "Tests/Support/\(name)", swiftSettings: settings)
}

/// Tests of a module. `Tests/<name>`, unless they stand elsewhere.
func tests(_ name: String, _ dependencies: [Target.Dependency], path: String? = nil) -> Target {
    .testTarget(name: name, dependencies: dependencies, path: path, swiftSettings: settings)
}

let package = Package(
    name: "PrivySeal",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "privyseald", targets: ["privyseald"]),
        .executable(name: "privyseal", targets: ["privyseal"]),
        .executable(name: "privyseal-issuer", targets: ["privyseal-issuer"]),
        .library(name: "PKCS11", targets: ["PKCS11"]),
        .library(name: "JOSE", targets: ["JOSE"]),
        .library(name: "AgentProtocol", targets: ["AgentProtocol"]),
        .library(name: "AgentClient", targets: ["AgentClient"]),
        // What Fuzz/ feeds with inputs.
        .library(name: "FuzzProperties", targets: ["FuzzProperties"]),
        // What Benchmarks/ measures the steps of, with the token it does so on.
        .library(name: "MeasuredAgent", targets: ["Agent", "DaemonKit", "KeyLifecycle", "Platform", "SoftHSMSupport"]),
        // Loaded by tests, and by the processes they start, from a copy.
        .library(name: "FaultyToken", type: .dynamic, targets: ["FaultyToken"]),
        // Preloaded into the processes that tests start.
        .library(name: "SetClock", type: .dynamic, targets: ["SetClock"]),
    ],
    dependencies: pins.map { repository, version in
        .package(
            url: "https://github.com/\(repository)", exact: version,
            traits: withoutTraits.contains(repository) ? [] : [.defaults])
    },
    targets: [
        .systemLibrary(name: "CCryptoki", pkgConfig: "p11-kit-1", providers: [.apt(["libp11-kit-dev"])]),
        .systemLibrary(name: "CLibP11", pkgConfig: "libp11", providers: [.apt(["libp11-dev", "libssl-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .target(name: "CPlatform"),

        library("StrictJSON"),
        library("Platform", ["CPlatform", "CZlib"]),
        library("PKCS11", ["CCryptoki", "Platform"]),
        library("TokenProvisioning", ["CLibP11", "Platform"]),
        library("JOSE", ["StrictJSON", .crypto, .cryptoExtras]),
        library("KeyLifecycle"),
        library("IssuerStore", ["KeyLifecycle", "Platform", .grdb]),
        library(
            "EtcdStore",
            ["IssuerStore", "KeyLifecycle", "Platform", .asyncHTTPClient, .nioCore, .nioHTTP1, .nioPosix, .nioSSL]),
        library("AgentProtocol", ["StrictJSON"]),
        library(
            "Agent",
            [
                "AgentProtocol", "IssuerStore", "JOSE", "KeyLifecycle", "PKCS11", "Platform", "StrictJSON",
                .crypto, .dequeModule, .logging, .metrics, .serviceLifecycle,
            ]),
        library("AgentClient", ["AgentProtocol", "Platform", .nioCore, .nioPosix]),
        library(
            "RelyingParty", ["JOSE", "Platform", .asyncHTTPClient, .jwtKit, .nioCore, .nioHTTP1, .nioPosix, .nioSSL]),
        library(
            "OIDCFrontend",
            [
                "AgentClient", "AgentProtocol", "Platform",
                .hummingbirdCore, .hummingbirdTLS, .logging, .nioCore, .nioHTTP1, .nioPosix, .nioSSL, .serviceLifecycle,
            ]),
        library("DaemonKit", ["Platform", "StrictJSON", .coreMetrics, .logging, .serviceLifecycle, .unixSignals, .yams]),
        library(
            "AgentSettings", ["Agent", "AgentProtocol", "DaemonKit", "EtcdStore", "IssuerStore", "PKCS11", "Platform"]),

        executable(
            "privyseald",
            [
                "Agent", "AgentClient", "AgentProtocol", "AgentSettings", "DaemonKit", "EtcdStore", "IssuerStore", "KeyLifecycle",
                "PKCS11", "Platform", "StrictJSON", "TokenProvisioning", .argumentParser, .logging, .metrics, .serviceLifecycle,
            ]),
        executable("privyseal", ["AgentClient", "AgentProtocol", "RelyingParty", "Platform", "StrictJSON", .argumentParser]),
        executable(
            "privyseal-issuer",
            ["DaemonKit", "OIDCFrontend", "Platform", .argumentParser, .coreMetrics, .logging, .serviceLifecycle]),

        .target(
            name: "FaultyToken", dependencies: ["CCryptoki"], path: "Tests/FaultyToken", exclude: ["README.md"],
            linkerSettings: [.linkedLibrary("dl"), .linkedLibrary("pthread")]),
        .target(name: "SetClock", path: "Tests/SetClock", linkerSettings: [.linkedLibrary("dl")]),
        support("TestSupport", ["Platform", .logging]),
        support("SoftHSMSupport", ["PKCS11", "TestSupport"]),
        support("FaultyTokenSupport", ["PKCS11", "Platform", "SoftHSMSupport"]),
        support("TLSSupport", [.subprocess]),
        support("ProcessSupport", ["Platform"]),
        support("ProtocolSupport", ["AgentProtocol"]),
        support("IssuerStoreSupport", ["IssuerStore", "KeyLifecycle", "Platform"]),
        support("EtcdSupport", ["EtcdStore", "Platform", "ProcessSupport", "TLSSupport"]),
        support("FleetHistory", ["Platform", "RelyingParty"]),
        support(
            "FleetSupport",
            ["EtcdStore", "EtcdSupport", "Platform", "ProcessSupport", .asyncHTTPClient, .nioCore, .nioHTTP1, .nioPosix]),
        support(
            "FuzzProperties",
            [
                "Agent", "AgentProtocol", "AgentSettings", "DaemonKit", "EtcdStore", "JOSE", "KeyLifecycle", "PKCS11", "Platform",
                "ProcessSupport", .crypto,
            ]),
        tests("PKCS11Tests", ["PKCS11", "SoftHSMSupport", .crypto, .cryptoExtras]),
        tests("TokenProvisioningTests", ["TokenProvisioning", "PKCS11", "SoftHSMSupport", "TestSupport", .subprocess]),
        tests("StrictJSONTests", ["StrictJSON"]),
        tests("PlatformTests", ["Platform", "TestSupport"]),
        tests("JOSETests", ["JOSE", .crypto]),
        tests("KeyLifecycleTests", ["KeyLifecycle", "TestSupport"]),
        tests(
            "IssuerStoreTests",
            [
                "EtcdStore", "EtcdSupport", "IssuerStore", "IssuerStoreSupport", "KeyLifecycle", "Platform", "TestSupport", .grdb,
            ]),
        tests(
            "EtcdStoreTests",
            [
                "EtcdStore", "EtcdSupport", "FleetSupport", "IssuerStore", "KeyLifecycle", "Platform", "ProcessSupport",
                "TLSSupport",
                "TestSupport", .asyncHTTPClient, .nioCore, .nioHTTP1, .nioPosix,
            ]),
        tests("AgentProtocolTests", ["AgentProtocol", "ProtocolSupport", "TestSupport"]),
        tests("AgentClientTests", ["AgentClient", "AgentProtocol", "TestSupport", .nioCore, .nioPosix]),
        tests(
            "AgentTests",
            [
                "Agent", "AgentClient", "AgentProtocol", "IssuerStore", "JOSE", "KeyLifecycle", "PKCS11", "Platform",
                "RelyingParty", "FaultyTokenSupport", "ProcessSupport", "ProtocolSupport", "SoftHSMSupport", "TestSupport",
                .crypto,
                .grdb, .logging,
            ]),
        tests(
            "RelyingPartyTests",
            ["RelyingParty", "JOSE", "ProcessSupport", "TLSSupport", "TestSupport", .asyncHTTPClient, .crypto, .cryptoExtras]),
        tests(
            "OIDCFrontendTests",
            [
                "OIDCFrontend", "AgentClient", "AgentProtocol", "Platform", "TLSSupport", "TestSupport", .logging, .nioCore,
                .nioEmbedded,
                .nioHTTP1, .nioPosix, .serviceLifecycle, .subprocess,
            ]),
        tests(
            "FleetSupportTests", ["EtcdStore", "EtcdSupport", "FleetSupport", "ProcessSupport", "TestSupport"]),
        tests("FleetHistoryTests", ["FleetHistory", "TestSupport"]),
        tests("DaemonKitTests", ["DaemonKit", "Platform", "TestSupport", .coreMetrics, .logging, .serviceLifecycle]),
        tests(
            "EndToEndTests",
            [
                "AgentClient", "AgentProtocol", "EtcdStore", "EtcdSupport", "FaultyTokenSupport", "FleetHistory", "FleetSupport",
                "IssuerStore", "JOSE", "KeyLifecycle", "PKCS11", "Platform", "ProcessSupport", "ProtocolSupport", "RelyingParty",
                "SoftHSMSupport", "TLSSupport", "TestSupport",
                "privyseal", "privyseal-issuer", "privyseald", .crypto, .subprocess,
            ]),
        tests(
            "PrivySealCLITests",
            [
                "privyseal", "AgentClient", "AgentProtocol", "JOSE", "Platform", "RelyingParty", .argumentParser, .crypto,
            ]),
        tests(
            "FaultyTokenTests",
            ["CCryptoki", "FaultyTokenSupport", "PKCS11", "Platform", "ProcessSupport", "SoftHSMSupport", .crypto]),
        tests("AgentSettingsTests", ["Agent", "AgentSettings", "DaemonKit", "EtcdStore", "Platform", "TestSupport"]),
        tests("FuzzTests", ["AgentProtocol", "AgentSettings", "FuzzProperties", "ProcessSupport", "TestSupport"]),
        // The steps that Benchmarks/ counts the instructions of, with their tests: there they are a library, built for release.
        tests(
            "SigningStepsTests",
            [
                "Agent", "AgentProtocol", "DaemonKit", "JOSE", "KeyLifecycle", "PKCS11", "Platform", "SoftHSMSupport",
                .coreMetrics, .logging,
            ], path: "Benchmarks/Sources/SigningSteps"),
        tests("LayoutTests", []),
    ]
)
