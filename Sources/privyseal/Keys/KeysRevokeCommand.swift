import AgentProtocol
import ArgumentParser

struct KeysRevokeCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke",
        abstract: "Remove one key at once.",
        discussion: """
            For a key that must not be trusted any more. It leaves the published keys at once and its private key is \
            destroyed; JWTs signed by it stop verifying, at the latest when the cached public keys run out. When it is the \
            active key, a freshly generated one takes over.

            Shows the plan and asks; what is carried out is that plan or nothing (see `privyseal rotate --help`).

            Examples:
              privyseal keys revoke 3oVjnGYkyVmcYDCa1VZz2rNzJ8xLb4Y5n1kq7mXhQxY --dry-run
              KID=$(privyseal issuer status demo --query activeKid -o tsv)
              privyseal keys revoke "$KID"
            """)

    @Argument(help: "The key's kid.")
    var kid: String
    @OptionGroup var change: PlannedChange

    func run(on console: Console) async throws {
        try await change.run(on: console) { dryRun, generation in
            RevokeKeyParameters(kid: kid, dryRun: dryRun ? true : nil, ifGeneration: generation)
        } title: { result in
            "Revoked key \(kid) of issuer \(result.issuer)"
        }
    }

    /// The arguments with a kid that begins with a dash, as one in 64 does, moved behind `--`: it is no option.
    ///
    /// A kid is base64url of a SHA-256, 43 characters; no option of this program is that long.
    static func shielding(kidIn arguments: [String]) -> [String] {
        guard arguments.starts(with: ["keys", "revoke"]), !arguments.contains("--"),
            let position = arguments.firstIndex(where: { $0.hasPrefix("-") && isKid($0) })
        else { return arguments }
        var shielded = arguments
        let kid = shielded.remove(at: position)
        return shielded + ["--", kid]
    }

    private static func isKid(_ text: String) -> Bool {
        text.utf8.count == 43
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }
}
