import AgentProtocol

/// One page of a list whose entries have names in ascending order. The cursor is the last name of the page before.
struct Page<Entry> {
    let entries: [Entry]
    let nextCursor: String?

    /// - Throws: `INVALID_PARAMS` for a limit out of bounds.
    init(_ all: [Entry], _ parameters: some PagedParameters, name: (Entry) -> String) throws(ProtocolError) {
        let limit = parameters.limit ?? ProtocolLimits.defaultPage
        guard (1...ProtocolLimits.maximumPage).contains(limit) else {
            throw ProtocolError(
                .invalidParams, "parameter \"limit\" must be 1 to \(ProtocolLimits.maximumPage)",
                hint: "ask for fewer entries, and go on with \"cursor\"")
        }
        let rest = parameters.cursor.map { cursor in all.drop { name($0) <= cursor } } ?? all[...]
        entries = Array(rest.prefix(limit))
        nextCursor = rest.count > limit ? entries.last.map(name) : nil
    }
}
