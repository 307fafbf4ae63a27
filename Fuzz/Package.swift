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

let package = Package(
    name: "PrivySealFuzz",
    dependencies: [.package(name: "PrivySeal", path: "..")],
    targets: [
        .target(name: "CLibFuzzer"),
        // How the agent's program reads its configuration, through a symbolic link: programs are no libraries.
        .target(
            name: "PrivysealdSettings", dependencies: [.product(name: "FuzzProperties", package: "PrivySeal")],
            swiftSettings: settings),
        .executableTarget(
            name: "fuzz",
            dependencies: ["CLibFuzzer", "PrivysealdSettings", .product(name: "FuzzProperties", package: "PrivySeal")],
            swiftSettings: settings),
    ]
)
