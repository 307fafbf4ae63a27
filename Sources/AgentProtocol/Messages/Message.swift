/// The `params` of one method, and the type of the `result` it gets.
///
/// Members a method does not know are refused by name, which is why every conforming type lists its coding keys.
public protocol RequestParameters: Codable, Sendable {
    associatedtype Result: Codable & Sendable
    static var method: Method { get }
    /// The member names `params` may hold.
    static var memberNames: [String] { get }
}

/// A list asked for page by page.
public protocol PagedParameters: RequestParameters {
    /// Entries wanted, 1 to `ProtocolLimits.maximumPage`.
    var limit: Int? { get }
    /// `nextCursor` of the page before; absent for the first.
    var cursor: String? { get }
}
