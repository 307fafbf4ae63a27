import IssuerStore
import KeyLifecycle
import PKCS11

/// Whether a caller waits for work on the token. It is asked anew each time that matters: what was begun in the background may
/// come to be awaited, of which `boost()` tells.
struct Urgency: Sendable {
    private let check: @Sendable () -> Bool

    /// A caller waits for it.
    static let awaited = Urgency { true }
    /// No caller ever does.
    static let background = Urgency { false }

    /// In the background for as long as this is false.
    static func background(until isAwaited: @escaping @Sendable () -> Bool) -> Urgency { Urgency(check: isAwaited) }

    var isAwaited: Bool { check() }
}

/// What the key life cycle asks of the HSM. Signing goes another way, through `HSM.sign`.
///
/// Calls are carried out one after the other.
/// - Throws: `HSMError` from every call.
protocol KeyCustody: Sendable {
    /// Counts how often the module was initialised: what was proven of the token holds for one number only.
    var tokenGeneration: Int { get }

    /// Makes sure that the token can generate such a key and sign with it, as far as its mechanisms tell. Asked before an
    /// intent is recorded.
    ///
    /// - Parameter urgency: of the key it is asked for.
    /// - Throws: `HSMError` with `.unsupported`, naming the mechanism that is missing.
    func requireMechanisms(for specification: KeySpecification, urgency: Urgency) async throws

    /// Makes sure that the token answers, and has nothing under a `CKA_ID` that was never given to a key. Asked before an
    /// intent is recorded.
    ///
    /// - Parameter urgency: as of `requireMechanisms`.
    func requireUnused(_ keyID: KeyID, urgency: Urgency) async throws

    /// Generates a key pair under a `CKA_ID` that has been recorded as an intent, and checks how the token holds it.
    ///
    /// Not to be retried after an error before `publicKey(of:)` has been asked: the pair may be there.
    /// - Parameter urgency: in the background, others get the processors first.
    func generate(
        _ specification: KeySpecification, keyID: KeyID, label: String, urgency: Urgency
    ) async throws -> GeneratedKey

    /// Gets back the room that keys made by this process have used up for good, destroyed ones too, if there are any: after a
    /// generation that may have failed for that.
    ///
    /// - Returns: whether a generation may succeed now.
    func makeRoom() async -> Bool

    /// What was in the background may have come to be awaited, which is to be looked at now. Returns at once.
    func boost()

    /// Begins nothing in the background until `release()`: around several calls one after the other for one caller that waits.
    func reserve()

    /// Ends one `reserve()`.
    func release()

    /// Fails destructions that have not begun, with `.shuttingDown`: they are left to the next start.
    func leaveDestructions()

    /// The pair with this `CKA_ID`, if it is complete, labelled so, for the algorithm, and held as the custody rules want it.
    func heldKey(_ keyID: KeyID, labelled label: KeyLabel, for algorithm: SignatureAlgorithm) async throws -> GeneratedKey?

    /// SubjectPublicKeyInfo of the pair with this `CKA_ID`; `nil` when the token does not show exactly one complete pair.
    ///
    /// It proves a token to a caller that knows the key, and says nothing of whose it is to any other.
    func publicKey(of keyID: KeyID) async throws -> [UInt8]?

    /// SubjectPublicKeyInfo of our own pair with this `CKA_ID`; `nil` when the token does not show exactly one complete pair
    /// that is labelled so.
    func publicKey(of keyID: KeyID, labelled label: KeyLabel) async throws -> [UInt8]?

    /// Whether the token shows a key object with this `CKA_ID` that is ours by its label.
    func contains(_ keyID: KeyID, labelled label: KeyLabel) async throws -> Bool

    /// The token as it names itself.
    var tokenIdentity: TokenIdentity { get }

    /// Every key object the token shows. It takes a call or two for each.
    ///
    /// - Parameter keyIDs: what the store knows of: these are listed whatever their label.
    func inventory(knowing keyIDs: Set<KeyID>) async throws -> TokenInventory

    /// Destroys a key pair, or what is left of it, the private half first, unless what the token shows is another one.
    ///
    /// - Parameter urgency: in the background, it gives way.
    func destroy(_ key: DoomedKey, urgency: Urgency) async throws -> DoomedKey.Outcome

    /// What agents of a deployment have noted about themselves on the token.
    ///
    /// - Parameter own: the note that was kept last. While it is where it was, the token is not searched.
    /// - Returns: `nil` when the own note is where it was.
    func notes(of deployment: String, unlessKept own: AgentNote?) async throws -> [AgentNote]?

    /// Puts a note on the token in place of those of the deployment that were seen last.
    ///
    /// - Returns: why the token keeps none, if it does not.
    func keep(_ note: AgentNote, of deployment: String) async throws -> PKCS11Error?

    /// Those of the private keys that the token holds as the custody rules want it.
    func heldAsWanted(_ keyIDs: [KeyID]) async -> Set<KeyID>

    /// What the token says about private keys; those are left out that it does not show, or of which it could not be asked.
    func attributes(of keyIDs: [KeyID]) async -> [KeyID: CustodyAttributes]
}
