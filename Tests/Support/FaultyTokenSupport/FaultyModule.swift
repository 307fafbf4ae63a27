import Foundation

/// The faulty module as built, next to the test bundle.
enum FaultyModule {
    static let path =
        (ProcessInfo.processInfo.environment["PRIVYSEAL_BIN_DIR"]
            ?? URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent().path)
        + "/libFaultyToken.so"
}
