/// `store-save`: has a store that was removed or replaced under the agent written anew.
public struct StoreSaveParameters: RequestParameters {
    public typealias Result = StoreSaveResult
    public static let method = Method.storeSave
    public static let memberNames: [String] = []

    public init() {}
}

public struct StoreSaveResult: ChangeResult, Equatable {
    /// Whether a file was written; false when the store is where it belongs.
    public var saved: Bool
    /// The file that was written.
    public var path: String?
    public var warnings: [String]

    public init(saved: Bool, path: String?, warnings: [String] = []) {
        self.saved = saved
        self.path = path
        self.warnings = warnings
    }
}
