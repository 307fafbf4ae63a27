/// An error that programs tell by a code of an open set, and people by one line.
///
/// Two of a type are equal when their codes are: callers and tests compare with what happened, not with how it was put.
public protocol CodedError: Error, Equatable, CustomStringConvertible {
    associatedtype Code: Hashable & Sendable

    /// What happened, for programs.
    var code: Code { get }
    /// What happened, for people, in one line.
    var message: String { get }
}

extension CodedError {
    /// Whether both are of the same kind.
    public static func == (left: Self, right: Self) -> Bool {
        left.code == right.code
    }

    /// The message.
    public var description: String { message }
}
