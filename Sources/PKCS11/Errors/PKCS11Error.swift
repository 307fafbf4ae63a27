public import Platform

/// A Cryptoki function failed, or what the module gave back cannot be used.
///
/// Two errors are equal when their codes are. `message` says in one line what happened, `hint` in one line what to do.
/// Neither ever holds a PIN.
public struct PKCS11Error: CodedError {
    /// What went wrong, for programs.
    public let code: Code

    /// The Cryptoki function that failed, such as `C_Sign`; nil when none did.
    public let function: String?

    /// What happened, for people: `C_Sign: CKR_PIN_LOCKED (...)` where a function failed.
    public let message: String

    /// What to do about it, for people; nil where there is nothing general to say.
    public let hint: String?

    /// A failure that is no return value of the module.
    public init(_ code: Code, function: String? = nil, _ message: String, hint: String? = nil) {
        self.code = code
        self.function = function
        self.message = message
        self.hint = hint
    }

    /// A function of the module returned something other than `CKR_OK`.
    public init(function: String, _ returnValue: ReturnValue) {
        self.init(
            Code(returnValue),
            function: function,
            "\(function): \(returnValue.name)" + (returnValue.explanation.map { " (\($0))" } ?? ""),
            hint: returnValue.hint)
    }

    /// What the function returned; nil when the failure is no return value.
    public var returnValue: ReturnValue? { code.returnValue }
}

extension PKCS11Error {
    /// What went wrong: a return value, or one of the names below. The set is open.
    public struct Code: Hashable, Sendable {
        /// The return value this code stands for; nil for every other failure.
        public let returnValue: ReturnValue?

        /// `CKR_...`, a hexadecimal number for a return value that has no name, or the name of another failure.
        public let name: String

        /// The code that stands for a return value.
        public init(_ returnValue: ReturnValue) {
            self.returnValue = returnValue
            name = returnValue.name
        }

        /// A code of its own, for a failure that is no return value.
        public init(_ name: String) {
            returnValue = nil
            self.name = name
        }

        /// The file is missing, or is no shared library, or is no PKCS#11 module.
        public static let moduleNotLoaded = Code("MODULE_NOT_LOADED")
        /// The module's function list lacks a function that is needed here.
        public static let functionMissing = Code("FUNCTION_MISSING")
        /// No token matches the URI.
        public static let tokenNotFound = Code("TOKEN_NOT_FOUND")
        /// More than one token matches the URI.
        public static let tokenAmbiguous = Code("TOKEN_AMBIGUOUS")
        /// The text is no PKCS#11 URI, or not one that names a token and nothing else.
        public static let uriMalformed = Code("URI_MALFORMED")
        /// No object has the asked-for attributes.
        public static let objectNotFound = Code("OBJECT_NOT_FOUND")
        /// More than one object has the asked-for attributes.
        public static let objectNotUnique = Code("OBJECT_NOT_UNIQUE")
        /// An attribute is missing where it may not be, or its value has the wrong form.
        public static let attributeMalformed = Code("ATTRIBUTE_MALFORMED")
        /// The attribute is part of a private key, and is read by nobody.
        public static let attributePrivate = Code("ATTRIBUTE_PRIVATE")
        /// The key is of a type or on a curve that is not known here.
        public static let keyUnsupported = Code("KEY_UNSUPPORTED")
        /// The module returned a signature that cannot be one.
        public static let signatureMalformed = Code("SIGNATURE_MALFORMED")
    }
}

extension PKCS11Error.Code: CustomStringConvertible {
    public var description: String { name }
}
