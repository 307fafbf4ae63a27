import AgentProtocol
import ArgumentParser

/// `-o` and `--query`, on everything that prints a result.
struct OutputOptions: ParsableArguments {
    enum Format: String, ExpressibleByArgument, CaseIterable {
        case table, json, tsv
    }

    @Option(
        name: [.customShort("o"), .customLong("output")],
        help: ArgumentHelp("How to print the result.", valueName: "format"))
    var format: Format?

    @Option(help: ArgumentHelp("Print one part of the result, as in keys.0.kid.", valueName: "path"))
    var query: Query?

    /// Prints a result.
    ///
    /// - Parameters:
    ///   - view: how it looks as a table and which values it has as tsv, unless a query picks a part.
    ///   - format: the format without `-o`.
    func print(_ result: JSONValue, as view: View, default format: Format = .table, on console: Console) throws {
        let format = self.format ?? format
        guard let query else {
            return try console.write(Array(view.text(result, format, now: console.now()).utf8))
        }
        try console.write(Array(View.generic.text(query.part(of: result), format, now: console.now()).utf8))
    }
}
