extension ReconcileResult {
    /// The result for people, a line each: what the client and the agent's own command both print.
    public var lines: [String] {
        [tokenLine] + quarantineLines + actions.map(Self.line) + findings.map(Self.line) + countLines + [lastLine]
    }

    private var tokenLine: String {
        let name = "token \"\(token.label)\" (serial \(token.serial))"
        let isAnother = token.lastSerial != nil && (token.lastSerial != token.serial || token.lastLabel != token.label)
        let last = isAnother ? "; the last one that did was \"\(token.lastLabel ?? "")\" (serial \(token.lastSerial ?? ""))" : ""
        if token.proven { return "\(name) shows keys of the store" + (isAnother ? last : "") }
        return "\(name) shows none of the keys in the store" + last
    }

    private var quarantineLines: [String] {
        let copy = storeCopiedAt.map { ["the store is a copy made at \($0), and nobody has decided about it yet"] } ?? []
        return copy + quarantinedIssuers.map { "issuer \($0.issuer) is in quarantine: \($0.reason)" }
    }

    private static func line(_ action: ReconciliationAction) -> String {
        let what =
            switch action.action {
            case "adopt": ("becomes the standby key", "has become the standby key")
            case "bury": ("is not there: leaves a tombstone", "is not there: has left a tombstone")
            case "abandon": ("is not wanted: to be destroyed", "is not wanted: is to be destroyed")
            case "destroy": ("is destroyed", "has been destroyed")
            case "conclude": ("is gone: counts as destroyed", "is gone: counts as destroyed")
            default: (action.action, action.action)
            }
        let key = "key \(action.keyID) of issuer \(action.issuer)"
        if action.done { return "done: \(key) \(what.1)" }
        return action.error.map { "failed: \(key): \($0)" } ?? "to do: \(key) \(what.0)"
    }

    private static func line(_ finding: ReconciliationFinding) -> String {
        let key = "\(finding.kid ?? "CKA_ID \(finding.keyID)") of issuer \(finding.issuer)"
        return switch finding.finding {
        case "missing": "missing: the token does not show the \(finding.state ?? "") key \(key)"
        case "unknown": "unknown: the store has never heard of the key \(key) on the token"
        case "quarantined":
            "quarantined: the key \(key) is kept until it is revoked: privyseal keys revoke \(finding.kid ?? finding.keyID)"
        case "tombstone": "tombstone: the key \(key) was given up, and would be destroyed if it appeared"
        case "waiting": "waiting: the key \(key) is to be destroyed, and this token is not known to be the one it is on"
        case "differs": "differs: the token has another key under the CKA_ID of \(key), which is to be destroyed; left alone"
        default: "\(finding.finding): \(key)"
        }
    }

    private var countLines: [String] {
        var lines = omittedFindings > 0 ? ["\(omittedFindings) more of these"] : []
        lines += otherDeployments.map { "\($0.keys) keys of another deployment, \($0.deployment)" }
        if objectsWithoutID > 0 { lines.append("\(objectsWithoutID) key objects without CKA_ID: nobody's") }
        if foreignObjects > 0 { lines.append("\(foreignObjects) key objects of others") }
        return lines
    }

    private var lastLine: String {
        if dryRun { return "dry run: nothing was changed" }
        let done = actions.count(where: \.done)
        return actions.isEmpty ? "nothing had to be done" : "\(done) of \(actions.count) steps done"
    }
}
