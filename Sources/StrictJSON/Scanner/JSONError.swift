/// Why a text is not JSON as it is read here (RFC 8259, and stricter where parsers are known to differ).
///
/// Equal by code. The message names members but never shows a value.
public struct JSONError: Error, Sendable, Equatable, CustomStringConvertible {
    /// What is wrong. The set is open.
    public struct Code: RawRepresentable, Hashable, Sendable {
        public let rawValue: String

        public init(rawValue: String) {
            self.rawValue = rawValue
        }

        /// A byte that cannot stand where it does; also bytes after the end of the value.
        public static let unexpectedByte = Code(rawValue: "unexpected-byte")
        /// The text ends inside a value, or before one.
        public static let unexpectedEnd = Code(rawValue: "unexpected-end")
        /// A byte sequence that is not UTF-8 (RFC 3629 §3): overlong, a surrogate, beyond U+10FFFF, cut short.
        public static let invalidUTF8 = Code(rawValue: "invalid-utf8")
        /// A control character inside a string (RFC 8259 §7).
        public static let controlCharacter = Code(rawValue: "control-character")
        /// A backslash followed by what is no escape.
        public static let invalidEscape = Code(rawValue: "invalid-escape")
        /// A `\u` escape of one half of a surrogate pair without the other half.
        public static let loneSurrogate = Code(rawValue: "lone-surrogate")
        /// A number that RFC 8259 §6 does not allow, such as `01` or `1.`.
        public static let invalidNumber = Code(rawValue: "invalid-number")
        /// An integer beyond ±(2⁵³−1) or a number that overflows a double: parsers read it as different values.
        public static let numberOutOfRange = Code(rawValue: "number-out-of-range")
        /// Objects and arrays deeper inside each other than 32.
        public static let tooDeep = Code(rawValue: "too-deep")
        /// A name that stands twice in one object: parsers differ in which one counts.
        public static let repeatedMember = Code(rawValue: "repeated-member")
        /// A name that another of its object is equal to but for the case of letters: to some parsers they are one.
        public static let memberOfOtherCase = Code(rawValue: "member-of-other-case")
        /// A name that some parsers read as another, or not as a member: it has a character or a meaning that does so.
        public static let misreadMember = Code(rawValue: "misread-member")
        /// An escape of NUL, where some parsers end a string.
        public static let nul = Code(rawValue: "nul")
    }

    public let code: Code
    /// Bytes from the start of the text to where it went wrong.
    public let offset: Int
    /// The name of the member that is repeated, or misread.
    public let member: String?

    init(_ code: Code, at offset: Int, member: String? = nil) {
        self.code = code
        self.offset = offset
        self.member = member
    }

    public static func == (left: JSONError, right: JSONError) -> Bool {
        left.code == right.code
    }

    /// What is wrong and where, in one line.
    public var message: String {
        "\(text) at byte \(offset)"
    }

    public var description: String { message }

    private var text: String {
        switch code {
        case .unexpectedByte: "unexpected byte"
        case .unexpectedEnd: "unexpected end of text"
        case .invalidUTF8: "invalid UTF-8"
        case .controlCharacter: "unescaped control character"
        case .invalidEscape: "invalid escape sequence"
        case .loneSurrogate: "escape of a lone surrogate"
        case .invalidNumber: "malformed number"
        case .numberOutOfRange: "number that parsers disagree on (beyond ±(2^53-1), or of a double)"
        case .tooDeep: "nesting deeper than \(JSONScanner.depthLimit)"
        case .repeatedMember: "repeated member \(quoted(member ?? ""))"
        case .memberOfOtherCase: "member \(quoted(member ?? "")) that differs from another in case alone"
        case .misreadMember: "member \(quoted(member ?? "")) that some parsers read otherwise"
        case .nul: "escape of NUL"
        default: code.rawValue
        }
    }
}
