import AgentProtocol
import ArgumentParser

/// `--claim name=value`. The name is all before the first `=`, dots and slashes included.
///
/// A value that is JSON is that JSON, anything else is a string: `admin=true` is a boolean, `level=3` a number, `team=core` a
/// string; a string that looks like JSON is written with its quotes, `version="1.0"`.
struct ClaimArgument: Equatable {
    let name: String
    let value: JSONValue

    /// For `@Option(transform:)`. What begins like an object, an array or a string and is none is refused: it is a slip of the
    /// pen, not a string.
    @Sendable static func parse(_ text: String) throws -> ClaimArgument {
        guard let separator = text.firstIndex(of: "="), separator != text.startIndex else {
            throw ValidationError("A claim is name=value.")
        }
        let value = text[text.index(after: separator)...]
        do {
            return ClaimArgument(name: String(text[..<separator]), value: try JSONValue(parsing: Array(value.utf8)))
        } catch {
            guard let first = value.first, "{[\"".contains(first) else {
                return ClaimArgument(name: String(text[..<separator]), value: .string(String(value)))
            }
            throw ValidationError("The value begins like JSON, but \(error.message).")
        }
    }
}
