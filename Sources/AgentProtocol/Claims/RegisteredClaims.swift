import StrictJSON

/// What is wrong with claims, and what to do about it where that is not the same in other words; a line each.
struct ClaimsFailure: Error {
    let message: String
    var hint: String?
}

/// The registered claims (RFC 7519 §4.1) and the names of the others, found in one pass over a claims object.
struct RegisteredClaims {
    private(set) var issuer: String?
    private(set) var subject: String?
    private(set) var audience: [String]?
    private(set) var issuedAt: Int64?
    private(set) var notBefore: Int64?
    private(set) var expiration: Int64?
    private(set) var id: String?
    /// The names of all others, in their order; nil when there are so many that they are not to be kept.
    private(set) var others: [JSONScanner.StringToken]? = []
    private let mostOthers: Int

    /// - Parameter keepingAllNames: a line of the greatest length can have thousands; usually the first few are enough.
    init(keepingAllNames: Bool = false) {
        mostOthers = keepingAllNames ? .max : 64
    }

    /// Passes the whole object, and refuses at any depth what parsers disagree on.
    mutating func scan(_ claims: JSONSlice) throws(ClaimsFailure) {
        var scanner = JSONScanner(claims, checking: [.names, .numbers, .readings])
        do throws(JSONError) {
            var object = try scanner.openObject()
            while let name = try scanner.nextMember(&object) {
                // Every registered claim looked at has three letters.
                guard name.isEscaped || name.count == 3 else {
                    note(name, scanner)
                    try scanner.skipValue()
                    continue
                }
                try scanMember(name, &scanner)
            }
        } catch {
            throw ClaimsFailure(
                message: "the claims are ambiguous: \(error.message) of the claims",
                hint: error.code == .memberOfOtherCase ? "give one of the two another name" : nil)
        }
        if let failure { throw failure }
    }

    /// The first claim of a wrong type; kept until the scan is through.
    private var failure: ClaimsFailure?

    private mutating func note(_ other: JSONScanner.StringToken, _ scanner: JSONScanner) {
        if let registered = RegisteredClaimName.imitated(by: other, in: scanner) {
            refuse(
                "the claims are ambiguous: some parsers read member \(quoted(scanner.string(other))) as \"\(registered)\"",
                hint: "spell it \"\(registered)\", or give it another name")
        }
        if let others, others.count >= mostOthers { self.others = nil }
        others?.append(other)
    }

    private mutating func scanMember(_ name: JSONScanner.StringToken, _ scanner: inout JSONScanner) throws(JSONError) {
        if scanner.string(name, is: "iss") {
            issuer = try scanString("iss", &scanner)
        } else if scanner.string(name, is: "sub") {
            subject = try scanString("sub", &scanner)
        } else if scanner.string(name, is: "aud") {
            audience = try scanAudience(&scanner)
        } else if scanner.string(name, is: "iat") {
            issuedAt = try scanDate("iat", &scanner)
        } else if scanner.string(name, is: "nbf") {
            notBefore = try scanDate("nbf", &scanner)
        } else if scanner.string(name, is: "exp") {
            expiration = try scanDate("exp", &scanner)
        } else if scanner.string(name, is: "jti") {
            id = try scanString("jti", &scanner)
        } else {
            note(name, scanner)
            try scanner.skipValue()
        }
    }

    private mutating func scanString(_ name: String, _ scanner: inout JSONScanner) throws(JSONError) -> String? {
        guard scanner.isAtString else {
            refuse("claim \"\(name)\" must be a string")
            try scanner.skipValue()
            return nil
        }
        return try scanText(name, &scanner)
    }

    /// Passes a string of the claim `name`.
    private mutating func scanText(_ name: String, _ scanner: inout JSONScanner) throws(JSONError) -> String {
        let token = try scanner.scanString()
        if scanner.isMisread(token) {
            refuse(
                "claim \"\(name)\" has a character that some parsers misread",
                hint: "leave out control characters, and write those beyond U+FFFF as they are")
        }
        return scanner.string(token)
    }

    private mutating func scanDate(_ name: String, _ scanner: inout JSONScanner) throws(JSONError) -> Int64? {
        if scanner.isAtNumber {
            let token = try scanner.scanNumber()
            // -0 is a number of its own to those who read it as a double.
            if let value = scanner.integer(token), value != 0 || token.count == 1 { return value }
        } else {
            try scanner.skipValue()
        }
        refuse("claim \"\(name)\" must be an integer, without fraction or exponent")
        return nil
    }

    private mutating func scanAudience(_ scanner: inout JSONScanner) throws(JSONError) -> [String]? {
        var values: [String] = []
        switch scanner.next {
        case UInt8(ascii: "\""):
            values.append(try scanText("aud", &scanner))
        case UInt8(ascii: "["):
            var array = try scanner.openArray()
            while try scanner.nextElement(&array) {
                guard scanner.isAtString else {
                    refuse("claim \"aud\" must be a string or an array of strings")
                    try scanner.skipValue()
                    continue
                }
                values.append(try scanText("aud", &scanner))
            }
        default:
            refuse("claim \"aud\" must be a string or an array of strings")
            try scanner.skipValue()
        }
        if values.isEmpty || values.contains("") {
            refuse("claim \"aud\" must not be empty")
        }
        return values
    }

    private mutating func refuse(_ message: String, hint: String? = nil) {
        failure = failure ?? ClaimsFailure(message: message, hint: hint)
    }
}
