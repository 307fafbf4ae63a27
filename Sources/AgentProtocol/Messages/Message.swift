/// The `params` of one method, and the type of the `result` it gets.
///
/// Members a method does not know are refused by name, which is why every conforming type lists its coding keys.
public protocol RequestParameters: Codable, Sendable {
    associatedtype Result: Codable & Sendable
    static var method: Method { get }
    /// The member names `params` may hold.
    static var memberNames: [String] { get }
}

/// What a method that changes something returns.
public protocol ChangeResult: Codable, Sendable {
    /// Consequences the caller should know of, a line each.
    var warnings: [String] { get set }
}

/// A list asked for page by page.
public protocol PagedParameters: RequestParameters {
    /// Entries wanted, 1 to `ProtocolLimits.maximumPage`.
    var limit: Int? { get }
    /// `nextCursor` of the page before; absent for the first.
    var cursor: String? { get }
}
