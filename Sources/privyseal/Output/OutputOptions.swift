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

/// The path of `--query`: member names and array positions joined by dots, `keys.0.kid`; `keys[0].kid` says the same.
///
/// A part that is not there is null, as it is for `az … --query`.
struct Query: Equatable, ExpressibleByArgument {
    let steps: [String]

    /// Nil for a path with an empty step, or with JMESPath that goes beyond names and positions.
    init?(argument: String) {
        var steps: [String] = []
        for part in argument.split(separator: ".", omittingEmptySubsequences: false) {
            let pieces = part.split(separator: "[", omittingEmptySubsequences: false)
            if !pieces[0].isEmpty {
                steps.append(String(pieces[0]))
            } else if pieces.count == 1 || !steps.isEmpty {
                return nil
            }
            for position in pieces.dropFirst() {
                guard position.last == "]", let number = Int(position.dropLast()), number >= 0 else { return nil }
                steps.append(String(number))
            }
        }
        guard !steps.contains(where: { $0.contains { "*[]|&(){}`'\"".contains($0) } }) else { return nil }
        self.steps = steps
    }

    init(steps: [String]) {
        self.steps = steps
    }

    /// The part of a value that the path leads to, null when there is none.
    func part(of value: JSONValue) -> JSONValue {
        steps.reduce(value) { value, step in
            if let member = value[step] { return member }
            return Int(step).flatMap { value[$0] } ?? .null
        }
    }
}
