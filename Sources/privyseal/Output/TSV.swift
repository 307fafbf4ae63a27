import AgentProtocol

/// Values only, tab-separated: for `cut`, `read` and `$(…)`.
enum TSV {
    /// A line for each row.
    static func text(rows: [[JSONValue]]) -> String {
        rows.map { $0.map(field).joined(separator: "\t") + "\n" }.joined()
    }

    /// A bare scalar is a line by itself, null nothing; an object is a row of its members' values; an array is a row for each
    /// element.
    static func text(_ value: JSONValue) -> String {
        switch value {
        case .null: ""
        case .array(let elements): text(rows: elements.map(row))
        case .object: text(rows: [row(value)])
        default: value.cell + "\n"
        }
    }

    private static func row(_ value: JSONValue) -> [JSONValue] {
        switch value {
        case .object(let members): members.map(\.value)
        case .array(let elements): elements
        default: [value]
        }
    }

    /// A value inside a row: a tab, line end or backslash of a string as `\t`, `\n`, `\r` or `\\`, so that neither breaks the
    /// row; null empty; objects and arrays as compact JSON.
    private static func field(_ value: JSONValue) -> String {
        guard case .string(let text) = value else { return value.cell }
        var field = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\t": field += "\\t"
            case "\n": field += "\\n"
            case "\r": field += "\\r"
            case "\\": field += "\\\\"
            default: field.unicodeScalars.append(scalar)
            }
        }
        return field
    }
}
