import AgentProtocol

/// How a result looks. Its JSON is always the whole of it.
enum View: Sendable {
    /// Whatever it is: scalars as they are, an object as a card, a list of objects as a table.
    case generic
    /// The entries of the member `list`, with these columns as a table and as tsv.
    case list(String, [Column])
    /// A single resource: a line for each column, and what else there is to be said of it; as tsv one row.
    case card([Column], more: @Sendable (JSONValue) -> [(label: String, value: String)] = { _ in [] })
    /// Only this member, as a table and as tsv.
    case bare(String)
    /// A text of its own as a table.
    case text(@Sendable (_ now: WireTime) -> String)

    /// The result as text, with its last line end; nothing for a null that is not asked for as JSON.
    func text(_ result: JSONValue, _ format: OutputOptions.Format, now: WireTime) -> String {
        switch format {
        case .json: result.prettyPrinted() + "\n"
        case .tsv: tsv(result)
        case .table: table(result, now: now)
        }
    }

    private func tsv(_ result: JSONValue) -> String {
        switch self {
        case .list(let list, let columns):
            TSV.text(rows: (result[list]?.elements ?? []).map { entry in columns.map { $0.path.part(of: entry) } })
        case .card(let columns, _):
            TSV.text(rows: [columns.map { $0.path.part(of: result) }])
        case .bare(let member):
            TSV.text(result[member] ?? .null)
        case .generic, .text:
            TSV.text(result)
        }
    }

    private func table(_ result: JSONValue, now: WireTime) -> String {
        switch self {
        case .list(let list, let columns):
            Layout.table(
                headers: columns.map(\.label),
                rows: (result[list]?.elements ?? []).map { entry in columns.map { $0.text(of: entry, now: now) } })
        case .card(let columns, let more):
            Layout.card(columns.map { ($0.label, $0.text(of: result, now: now)) } + more(result))
        case .bare(let member):
            TSV.text(result[member] ?? .null)
        case .text(let text):
            text(now)
        case .generic:
            Self.generic(result, now: now)
        }
    }

    private static func generic(_ value: JSONValue, now: WireTime) -> String {
        switch value {
        case .object(let members):
            return Layout.card(members.map { ($0.name, Column.plain($0.value, now)) })
        case .array(let elements):
            let names = names(of: elements)
            guard !names.isEmpty else { return TSV.text(value) }
            return Layout.table(
                headers: names, rows: elements.map { entry in names.map { Column.plain(entry[$0] ?? .null, now) } })
        default:
            return TSV.text(value)
        }
    }

    /// The member names of a list of objects, in the order they first appear; none unless all entries are objects.
    private static func names(of elements: [JSONValue]) -> [String] {
        guard elements.allSatisfy({ $0.members != nil }) else { return [] }
        var seen: Set<String> = []
        return elements.flatMap { $0.members ?? [] }.map(\.name).filter { seen.insert($0).inserted }
    }
}
