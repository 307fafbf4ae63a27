/// What each target may import beside the modules every one may, and who alone may import what.
enum Rules {
    /// The system's modules. `KeyLifecycle` may not even import these.
    static let system: Set = [
        "Dispatch", "Foundation", "FoundationEssentials", "FoundationNetworking", "Glibc", "Synchronization",
    ]

    static let nio: Set = ["NIOCore", "NIOPosix", "NIOConcurrencyHelpers", "NIOFoundationCompat"]
    static let daemon: Set = ["Logging", "Metrics", "CoreMetrics", "ServiceLifecycle"]

    /// Modules by the target that may import them; `Platform` and the system's modules are open to all but `KeyLifecycle`.
    static let imports: [String: Set<String>] = [
        "CCryptoki": [],
        "CLibP11": [],
        "CZlib": [],
        "CPlatform": [],
        "StrictJSON": [],
        "Platform": ["CPlatform", "CZlib"],
        "PKCS11": ["CCryptoki"],
        "TokenProvisioning": ["CLibP11"],
        "JOSE": ["Crypto", "CryptoExtras", "StrictJSON"],
        "KeyLifecycle": [],
        "IssuerStore": ["KeyLifecycle", "GRDB"],
        "EtcdStore": nio.union(["AsyncHTTPClient", "IssuerStore", "KeyLifecycle", "NIOHTTP1", "NIOSSL"]),
        "AgentProtocol": ["StrictJSON"],
        "Agent": daemon.union([
            "AgentProtocol", "IssuerStore", "JOSE", "KeyLifecycle", "PKCS11", "StrictJSON", "Crypto", "DequeModule",
        ]),
        "AgentClient": nio.union(["AgentProtocol"]),
        "RelyingParty": nio.union(["AsyncHTTPClient", "JOSE", "JWTKit", "NIOHTTP1", "NIOSSL"]),
        "OIDCFrontend": daemon.union(nio).union([
            "AgentClient", "AgentProtocol", "HummingbirdCore", "HummingbirdTLS", "NIOHTTP1", "NIOSSL",
        ]),
        "DaemonKit": daemon.union(["StrictJSON", "UnixSignals", "Yams"]),
        "AgentSettings": ["Agent", "AgentProtocol", "DaemonKit", "EtcdStore", "IssuerStore", "PKCS11"],
        "privyseald": daemon.union([
            "Agent", "AgentClient", "AgentProtocol", "AgentSettings", "ArgumentParser", "DaemonKit", "EtcdStore", "IssuerStore",
            "KeyLifecycle", "PKCS11", "StrictJSON", "TokenProvisioning",
        ]),
        "privyseal": ["AgentClient", "AgentProtocol", "ArgumentParser", "RelyingParty", "StrictJSON"],
        "privyseal-issuer": daemon.union(["ArgumentParser", "DaemonKit", "OIDCFrontend"]),
    ]

    static let executables: Set = ["privyseald", "privyseal", "privyseal-issuer"]

    /// A module whose name begins so may be imported under these paths only. Said again beside `imports`, so that a
    /// careless line there is noticed here.
    static let exclusive: [(prefix: String, paths: [String])] = [
        ("CCryptoki", ["PKCS11/"]),
        ("CLibP11", ["TokenProvisioning/"]),
        ("CPlatform", ["Platform/"]),
        ("CZlib", ["Platform/"]),
        ("NIO", ["AgentClient/", "EtcdStore/", "OIDCFrontend/", "RelyingParty/"]),
        ("AsyncHTTPClient", ["EtcdStore/", "RelyingParty/"]),
        ("ArgumentParser", ["privyseald/", "privyseal/", "privyseal-issuer/"]),
        ("GRDB", ["IssuerStore/"]),
        ("JWTKit", ["RelyingParty/"]),
        ("Yams", ["DaemonKit/"]),
        ("Hummingbird", ["OIDCFrontend/"]),
        ("Agent", ["AgentSettings/", "privyseald/"]),
        ("IssuerStore", ["Agent/", "AgentSettings/", "EtcdStore/", "privyseald/"]),
        ("EtcdStore", ["AgentSettings/", "privyseald/"]),
        ("PKCS11", ["Agent/", "AgentSettings/", "privyseald/"]),
        ("TokenProvisioning", ["privyseald/"]),
        ("DaemonKit", ["AgentSettings/", "privyseald/", "privyseal-issuer/"]),
    ]

    /// The rooms of a target, which are its folders, from the ground up: what stands in one uses its own and those before it.
    /// What is in no folder puts the rooms together, and is used by none.
    static let rooms: [String: [String]] = [
        "Agent": ["Runtime", "Access", "Audit", "Feed", "HSM", "Fleet", "Keys", "Operations", "Socket"],
        "EtcdStore": ["Wire", "Gateway", "Store"],
    ]

    /// The targets in `Tests` that may see Cryptoki itself: what stands in for a token, and the tests of that.
    static let cryptokiTests: Set = ["FaultyToken", "FaultyTokenTests"]

    /// Modules whose name begins like an exclusive one and is another.
    static let exclusiveExceptions: Set = ["AgentClient", "AgentProtocol"]

    /// The targets that may say `unsafe`.
    static let unsafe: Set = ["PKCS11", "TokenProvisioning", "Platform"]

    /// Where a clock may be read: the executables, what they share, and what wraps the system's clocks.
    static let clockTargets = executables.union(["DaemonKit", "Platform"])
}
