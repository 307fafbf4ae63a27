import StrictJSON

/// Text in columns.
enum Layout {
    private static let gap = 2

    /// Rows under upper-case headers, each column as wide as its widest cell; only the headers when there are no rows.
    static func table(headers: [String], rows: [[String]]) -> String {
        let lines = [headers.map { $0.uppercased() }] + rows.map { $0.map(printable) }
        let widths = headers.indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
        return lines.map { line($0, widths) + "\n" }.joined()
    }

    /// `Key:  value` lines with the values in one column.
    static func card(_ lines: [(label: String, value: String)]) -> String {
        let width = (lines.map { $0.label.count }.max() ?? 0) + 1
        return lines.map { line([$0.label + ":", printable($0.value)], [width, 0]) + "\n" }.joined()
    }

    private static func line(_ cells: [String], _ widths: [Int]) -> String {
        var line = ""
        for (cell, width) in zip(cells, widths) {
            line += cell + String(repeating: " ", count: max(width - cell.count, 0) + gap)
        }
        while line.last == " " { line.removeLast() }
        return line
    }

    /// The text with what is not seen as escapes: what came over the wire must not steer a terminal.
    static func printable(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: \.isHidden) else { return text }
        return text.unicodeScalars.map { $0.isHidden ? $0.escaped(asASCII: true) : String($0) }.joined()
    }
}
