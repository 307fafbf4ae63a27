/// The words of Prometheus's text format 0.0.4.
enum PrometheusText {
    /// A metric name, `[a-zA-Z_:][a-zA-Z0-9_:]*`: whatever else is in `text` becomes `_`.
    static func name(_ text: String) -> String { identifier(text, colons: true) }

    /// The labels in the order of their names, `a="x",b="y"`, values escaped. Of repeated names the last counts.
    static func labels(_ dimensions: [(String, String)]) -> String {
        Dictionary(dimensions.map { (identifier($0.0, colons: false), $0.1) }) { $1 }
            .sorted { $0.key < $1.key }
            .map { "\($0.key)=\"\(escaped($0.value, quotes: true))\"" }
            .joined(separator: ",")
    }

    /// A help text on one line.
    static func help(_ text: String) -> String { escaped(text, quotes: false) }

    /// A sample's value: whole numbers without a fraction.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        if value.rounded() == value, value.magnitude < 9_007_199_254_740_992 { return String(Int64(value)) }
        return String(value)
    }

    private static func identifier(_ text: String, colons: Bool) -> String {
        var name = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "a"..."z", "A"..."Z", "_": name.unicodeScalars.append(scalar)
            case ":" where colons: name.unicodeScalars.append(scalar)
            case "0"..."9":
                if name.isEmpty { name = "_" }
                name.unicodeScalars.append(scalar)
            default: name += "_"
            }
        }
        return name.isEmpty ? "_" : name
    }

    private static func escaped(_ text: String, quotes: Bool) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quotes: result += "\\\""
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
