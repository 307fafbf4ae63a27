import CCryptoki

/// What a module says about itself (`CK_INFO`, PKCS#11 v2.40 base §3.1).
public struct ModuleInfo: Hashable, Sendable {
    public let cryptokiVersion: Version
    public let manufacturerID: String
    public let libraryDescription: String
    public let libraryVersion: Version

    init(_ info: CK_INFO) {
        cryptokiVersion = Version(info.cryptokiVersion)
        manufacturerID = paddedText(info.manufacturerID)
        libraryDescription = paddedText(info.libraryDescription)
        libraryVersion = Version(info.libraryVersion)
    }
}
