/// A parser of what strangers write, and what must hold for whatever it is given.
///
/// The fuzzer in `Fuzz/` feeds it inputs it makes up; the tests replay the inputs that are kept.
public struct FuzzTarget: Sendable {
    /// The name on the command line and of the directories of its inputs.
    public let name: String
    /// What is looked at, in a line.
    public let summary: String
    /// More bytes than this are not worth trying.
    public let longestInput: Int
    /// Feeds the parser one input.
    ///
    /// - Throws: ``Violation`` when something does not hold. Inputs that are refused are as right as those that are taken.
    public let check: @Sendable ([UInt8]) throws(Violation) -> Void

    init(
        _ name: String, _ summary: String, longestInput: Int,
        check: @escaping @Sendable ([UInt8]) throws(Violation) -> Void
    ) {
        self.name = name
        self.summary = summary
        self.longestInput = longestInput
        self.check = check
    }

    /// Every target.
    ///
    /// - Parameter directory: of the fuzzer, where other people's parsers are.
    public static func all(directory: String) -> [FuzzTarget] {
        [
            .framing, .request, .reply, .sign, .json, .publicKey, .tokenKey, .tokenURI, .jws, .values, .glob,
            .readings(OtherParsers(directory: directory + "/Parsers")), .configuration, .watch, .etcd,
        ]
    }
}

/// Something that must hold and does not.
public struct Violation: Error, CustomStringConvertible {
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// Throws a ``Violation`` unless it is so.
func require(_ isSo: Bool, _ message: @autoclosure () -> String) throws(Violation) {
    if !isSo { throw Violation(message()) }
}

/// The value, which must be there.
func require<Value>(_ value: Value?, _ message: @autoclosure () -> String) throws(Violation) -> Value {
    guard let value else { throw Violation(message()) }
    return value
}

/// Whether a text can stand in a log or on a terminal as one line.
func isOneLine(_ text: String) -> Bool {
    !text.isEmpty
        && text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F && $0 != "\u{2028}" && $0 != "\u{2029}" }
}
