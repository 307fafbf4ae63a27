import StrictJSON

extension IssuerChanges {
    /// The notification's `params`. Written out, since a type of integers and strings leaves nothing to fail.
    var json: JSONValue {
        [
            "revision": .integer(Int64(revision)),
            "issuers": .array(
                issuers.map { issuer in
                    var members = [
                        JSONValue.Member("name", .string(issuer.name)),
                        JSONValue.Member("generation", .integer(Int64(issuer.generation))),
                    ]
                    if let deleted = issuer.deleted {
                        members.append(JSONValue.Member("deleted", .bool(deleted)))
                    }
                    return .object(members)
                }),
        ]
    }
}
