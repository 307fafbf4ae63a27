import CCryptoki
import Platform

extension Module {
    /// The slot with the one token that a URI names.
    ///
    /// When several tokens match, those that were never initialised do not count: a module often shows an empty one
    /// beside those in use. Throws ``PKCS11Error`` with the code `tokenNotFound` or `tokenAmbiguous`, either naming the
    /// tokens that were seen, or what the module returned.
    public func findSlot(matching uri: TokenURI) throws(PKCS11Error) -> Slot {
        let seen = try tokens()
        var matching = try matches(of: uri, among: seen)
        if matching.count > 1 {
            matching.removeAll { !$0.info.flags.contains(.tokenInitialized) }
        }
        switch matching.count {
        case 1:
            return matching[0].slot
        case 0:
            throw PKCS11Error(
                .tokenNotFound,
                "no token matches \(uri); " + (seen.isEmpty ? "the module shows none" : "the module shows \(names(seen))"),
                hint: "check the URI, and that the token is there and initialised" + Self.place(ofTokensShownBy: path))
        default:
            throw PKCS11Error(
                .tokenAmbiguous, "\(matching.count) tokens match \(uri): \(names(matching))",
                hint: "add the serial number to the URI")
        }
    }

    /// Where a module that reads files has its tokens from: with another configuration it shows others.
    private static func place(ofTokensShownBy path: String) -> String {
        guard SoftHSMConfiguration.isRead(byModule: path) else { return "" }
        return oneAtATime { "; " + SoftHSMConfiguration().place }
    }

    /// A token that was seen, with what it said about itself.
    private struct SeenToken {
        let slot: Slot
        let cryptokiInfo: CK_TOKEN_INFO
        var info: TokenInfo { TokenInfo(cryptokiInfo) }
    }

    private func tokens() throws(PKCS11Error) -> [SeenToken] {
        var tokens: [SeenToken] = []
        for slot in try slots() {
            do throws(PKCS11Error) {
                tokens.append(SeenToken(slot: slot, cryptokiInfo: try slot.cryptokiTokenInfo()))
            } catch  where error.returnValue == .tokenNotPresent || error.returnValue == .tokenNotRecognized {
                // Taken out since the list was made, or not this module's to read: none of its business here.
                continue
            }
        }
        return tokens
    }

    private func matches(of uri: TokenURI, among tokens: [SeenToken]) throws(PKCS11Error) -> [SeenToken] {
        let parsed = try unsafe ParsedURI(uri.text) { PKCS11Error(.uriMalformed, "the token URI \(uri): \($0)") }
        defer { unsafe parsed.free() }
        let module = try cryptokiInfo()
        var matching: [SeenToken] = []
        for token in tokens {
            let slot = try token.slot.cryptokiSlotInfo()
            if unsafe parsed.matches(
                module: module, slotID: token.slot.id, slot: slot, token: token.cryptokiInfo)
            {
                matching.append(token)
            }
        }
        return matching
    }

    private func names(_ tokens: [SeenToken]) -> String {
        tokens.map(\.info).map { info in
            info.flags.contains(.tokenInitialized)
                ? "\"\(info.label)\" (serial \(info.serialNumber))" : "one that is not initialised"
        }
        .joined(separator: ", ")
    }
}
