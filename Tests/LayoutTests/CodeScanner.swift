/// Blanks comments and string literals, so that a rule about code does not trip over prose.
struct CodeScanner {
    private let input: [UInt8]
    private var position = 0
    private var output: [UInt8] = []

    /// The code of a Swift source text; its lines keep their numbers.
    static func code(of text: String) -> String {
        var scanner = CodeScanner(input: Array(text.utf8))
        scanner.code(untilParenthesis: false)
        return String(decoding: scanner.output, as: UTF8.self)
    }

    private init(input: [UInt8]) {
        self.input = input
    }

    /// Copies code, to the end or to the parenthesis that closes an interpolation.
    private mutating func code(untilParenthesis: Bool) {
        var depth = 0
        while position < input.count {
            let byte = input[position]
            if byte != UInt8(ascii: "/"), byte != UInt8(ascii: "#"), byte != UInt8(ascii: "\"") {
                if byte == UInt8(ascii: "(") { depth += 1 }
                if byte == UInt8(ascii: ")") {
                    if untilParenthesis, depth == 0 { return }
                    depth -= 1
                }
                output.append(byte)
                position += 1
            } else if at("//") {
                skip { $0 != UInt8(ascii: "\n") }
            } else if at("/*") {
                blockComment()
            } else if let hashes = openingHashes() {
                string(hashes: hashes)
            } else {
                output.append(byte)
                position += 1
            }
        }
    }

    /// Block comments nest.
    private mutating func blockComment() {
        var depth = 0
        repeat {
            if at("/*") {
                depth += 1
                position += 2
            } else if at("*/") {
                depth -= 1
                position += 2
            } else {
                keepNewline()
                position += 1
            }
        } while depth > 0 && position < input.count
        output.append(UInt8(ascii: " "))
    }

    /// The number of `#` before a quotation mark that opens a literal here; nil when none does.
    private func openingHashes() -> Int? {
        var end = position
        while end < input.count, input[end] == UInt8(ascii: "#") { end += 1 }
        return end < input.count && input[end] == UInt8(ascii: "\"") ? end - position : nil
    }

    private mutating func string(hashes: Int) {
        position += hashes
        let quotes = at("\"\"\"") ? 3 : 1
        position += quotes
        let suffix = [UInt8](repeating: UInt8(ascii: "#"), count: hashes)
        let close = [UInt8](repeating: UInt8(ascii: "\""), count: quotes) + suffix
        let escape = [UInt8(ascii: "\\")] + suffix
        output += Array("\"\"".utf8)
        while position < input.count, !at(close) {
            if at(escape + [UInt8(ascii: "(")]) {
                position += escape.count + 1
                output.append(UInt8(ascii: " "))
                code(untilParenthesis: true)
                output.append(UInt8(ascii: " "))
                position += 1
            } else if at(escape) {
                position += escape.count
                if position < input.count { keepNewline() }
                position += 1
            } else {
                // A literal on one line that is not closed is a regex or not Swift: do not lose the rest of the file.
                if quotes == 1, input[position] == UInt8(ascii: "\n") { return }
                keepNewline()
                position += 1
            }
        }
        position += close.count
    }

    private mutating func keepNewline() {
        if input[position] == UInt8(ascii: "\n") { output.append(UInt8(ascii: "\n")) }
    }

    private mutating func skip(while condition: (UInt8) -> Bool) {
        while position < input.count, condition(input[position]) { position += 1 }
    }

    private func at(_ text: String) -> Bool { at(text.utf8) }

    private func at(_ bytes: some Collection<UInt8>) -> Bool {
        var index = position
        for byte in bytes {
            guard index < input.count, input[index] == byte else { return false }
            index += 1
        }
        return true
    }
}
