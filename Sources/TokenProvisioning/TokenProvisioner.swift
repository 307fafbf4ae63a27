/// Prepares tokens for use: initialises them and sets their PINs.
///
/// For commands that run, print and exit: each call loads the module, works single-threaded and finalises it again. Never
/// for a process that serves or has the same module in use otherwise.
public struct TokenProvisioner: Sendable {
    /// The file the PKCS#11 module is loaded from.
    public let modulePath: String

    public init(modulePath: String) {
        self.modulePath = modulePath
    }

    /// The slots of the module, with their tokens.
    public func slots() throws(ProvisioningError) -> [ProvisioningSlot] {
        try LoadedModule(path: modulePath).list()
    }

    /// Initialises a token and sets its user PIN; returns the slot as it is afterwards.
    ///
    /// - Without a `slot`, the first whose token is not initialised is taken.
    /// - `label` has at most 32 bytes of UTF-8.
    /// - `force` lets a token that is initialised already be initialised again, which destroys every key on it. It
    ///   needs a `slot`, and the token's present security officer's PIN.
    ///
    /// Throws ``ProvisioningError``: `tokenInitialized` for a token that is initialised, or a label that is taken,
    /// without `force`.
    public func initialize(
        slot: UInt? = nil, label: String, securityOfficerPIN: TokenPIN, userPIN: TokenPIN, force: Bool = false
    ) throws(ProvisioningError) -> ProvisioningSlot {
        let label = try TokenLabel(label)
        let chosen: UInt
        // Slots are known to libp11 as they were when it loaded the module: a load for each step.
        do {
            let module = try LoadedModule(path: modulePath)
            chosen = try Self.choose(slot, for: label, among: module.list(), force: force)
            try module.initializeToken(slot: chosen, label: label, securityOfficerPIN: securityOfficerPIN)
            try module.setUserPIN(slot: chosen, securityOfficerPIN: securityOfficerPIN, userPIN: userPIN)
        }
        let slots = try slots()
        let candidates = slots.filter { $0.token?.label == label.text }
        // The number may have changed, but then the label is the only one.
        guard let result = candidates.first(where: { $0.id == chosen }) ?? candidates.first else {
            throw ProvisioningError(
                .tokenNotFound, "the module no longer shows the token \(label.text) that it has just initialised",
                hint: "list the tokens to see the slots")
        }
        return result
    }

    /// Sets the user's PIN as the security officer: a first one, or one in the place of a forgotten or locked one.
    public func setUserPIN(
        of token: TokenReference, securityOfficerPIN: TokenPIN, userPIN: TokenPIN
    ) throws(ProvisioningError) {
        let module = try LoadedModule(path: modulePath)
        let slot = try token.find(among: module.list())
        try module.setUserPIN(slot: slot, securityOfficerPIN: securityOfficerPIN, userPIN: userPIN)
    }

    /// Changes the user's PIN.
    ///
    /// Throws ``ProvisioningError``, `pinIncorrect` when the old one is wrong: try it once, a token locks.
    public func changeUserPIN(
        of token: TokenReference, from old: TokenPIN, to new: TokenPIN
    ) throws(ProvisioningError) {
        let module = try LoadedModule(path: modulePath)
        try module.changeUserPIN(slot: try token.find(among: module.list()), from: old, to: new)
    }

    /// Changes the security officer's PIN.
    public func changeSecurityOfficerPIN(
        of token: TokenReference, from old: TokenPIN, to new: TokenPIN
    ) throws(ProvisioningError) {
        let module = try LoadedModule(path: modulePath)
        try module.changeSecurityOfficerPIN(slot: try token.find(among: module.list()), from: old, to: new)
    }

    /// The slot to initialise; refuses what would destroy keys or make a label mean two tokens.
    private static func choose(
        _ slot: UInt?, for label: TokenLabel, among slots: [ProvisioningSlot], force: Bool
    ) throws(ProvisioningError) -> UInt {
        guard let slot else {
            guard !force else {
                throw ProvisioningError(
                    .tokenNotFound, "no slot is given, and a token is to be initialised even if it is in use",
                    hint: "name the slot of the token whose keys are to be destroyed")
            }
            try refuseTaken(label, among: slots)
            guard let free = slots.first(where: { $0.token?.isInitialized == false }) else {
                throw ProvisioningError(
                    .tokenNotFound, "there is no slot with a token that is not initialised",
                    hint: "list the tokens to see the slots")
            }
            return free.id
        }
        guard let token = slots.first(where: { $0.id == slot })?.token else {
            throw ProvisioningError(
                .tokenNotFound, "there is no token in slot \(slot)", hint: "list the tokens to see the slots")
        }
        if token.isInitialized && !force {
            throw ProvisioningError(
                .tokenInitialized, "the token \"\(token.label)\" in slot \(slot) is initialised already",
                hint: "initialising it again destroys every key on it; force it only if that is meant")
        }
        try refuseTaken(label, among: slots.filter { $0.id != slot })
        return slot
    }

    private static func refuseTaken(
        _ label: TokenLabel, among slots: [ProvisioningSlot]
    ) throws(ProvisioningError) {
        guard let taken = slots.first(where: { $0.token?.isInitialized == true && $0.token?.label == label.text })
        else { return }
        throw ProvisioningError(
            .tokenInitialized, "there is a token \"\(label.text)\" already, in slot \(taken.id)",
            hint: "use that one, or choose another label")
    }
}
