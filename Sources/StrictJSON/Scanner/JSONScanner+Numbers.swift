extension JSONScanner {
    /// Passes a number; the cursor stands on its sign or first digit.
    package mutating func scanNumber() throws(JSONError) -> NumberToken {
        let start = index
        if bytes[index] == UInt8(ascii: "-") {
            index += 1
        }
        let digits = index
        try skipDigits()
        guard bytes[digits] != UInt8(ascii: "0") || index == digits + 1 else { throw JSONError(.invalidNumber, at: start) }
        var isInteger = true
        if next == UInt8(ascii: ".") {
            isInteger = false
            index += 1
            try skipDigits()
        }
        if let byte = next, byte | 0x20 == UInt8(ascii: "e") {
            isInteger = false
            index += 1
            if let sign = next, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") {
                index += 1
            }
            try skipDigits()
        }
        let token = NumberToken(start: start, end: index, isInteger: isInteger)
        if checks.contains(.numbers) {
            try checkRange(token, digits: digits)
        }
        return token
    }

    /// Whether `text` is a number of RFC 8259 §6 and nothing else.
    static func isNumber(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        var scanner = JSONScanner(bytes, in: bytes.indices, checking: [])
        guard scanner.isAtNumber, (try? scanner.scanNumber()) != nil else { return false }
        return scanner.index == scanner.end
    }

    /// The number's literal text.
    package func text(_ token: NumberToken) -> String {
        String(decoding: bytes[token.start..<token.end], as: UTF8.self)
    }

    /// The value of an integer; nil when it does not fit.
    package func integer(_ token: NumberToken) -> Int64? {
        guard token.isInteger else { return nil }
        let isNegative = bytes[token.start] == UInt8(ascii: "-")
        var value: Int64 = 0
        for position in (isNegative ? token.start + 1 : token.start)..<token.end {
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            // Counted downwards, since Int64.min has no positive counterpart.
            let (difference, underflow) = product.subtractingReportingOverflow(Int64(bytes[position] & 0x0F))
            guard !overflow, !underflow else { return nil }
            value = difference
        }
        guard !isNegative else { return value }
        return value == .min ? nil : -value
    }

    private mutating func skipDigits() throws(JSONError) {
        let start = index
        while index < end, UInt8(ascii: "0")...UInt8(ascii: "9") ~= bytes[index] {
            index += 1
        }
        guard index > start else {
            throw index < end ? JSONError(.invalidNumber, at: index) : JSONError(.unexpectedEnd, at: index)
        }
    }

    /// Refuses what a parser that reads every number as a double would change or refuse (RFC 8259 §6, RFC 7493 §2.2).
    private func checkRange(_ token: NumberToken, digits: Int) throws(JSONError) {
        if token.isInteger {
            guard token.end - digits > 15 else { return }
            guard let value = integer(token), value.magnitude <= Self.largestInteger else {
                throw JSONError(.numberOutOfRange, at: token.start)
            }
        } else {
            guard let value = Double(text(token)), value.isFinite else {
                throw JSONError(.numberOutOfRange, at: token.start)
            }
        }
    }

    /// 2⁵³−1, up to which every integer is a double of its own.
    private static let largestInteger: UInt64 = 9_007_199_254_740_991
}
