/// Which token of a module is meant.
public enum TokenReference: Hashable, Sendable {
    /// The one in the slot with this number.
    case slot(UInt)
    /// The only one with this label.
    case label(String)

    /// The number of the token's slot.
    func find(among slots: [ProvisioningSlot]) throws(ProvisioningError) -> UInt {
        let matching: [ProvisioningSlot]
        let name: String
        switch self {
        case .slot(let id):
            matching = slots.filter { $0.id == id && $0.token != nil }
            name = "in slot \(id)"
        case .label(let label):
            matching = slots.filter { $0.token?.isInitialized == true && $0.token?.label == label }
            name = "\"\(label)\""
        }
        guard let found = matching.first else {
            throw ProvisioningError(
                .tokenNotFound, "there is no token \(name)", hint: "list the tokens to see labels and slots")
        }
        guard matching.count == 1 else {
            throw ProvisioningError(
                .tokenAmbiguous, "there are \(matching.count) tokens \(name)", hint: "name the token's slot instead")
        }
        return found.id
    }
}
