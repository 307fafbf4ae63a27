import Foundation
public import PKCS11
import TestSupport

/// A fresh SoftHSM token for one test: its own directory, its own configuration and its own copy of the module.
///
/// Any number can be used at once in one process. A library has one state for each path it is loaded from, so the copy
/// gives the test a SoftHSM that nobody else initialises or finalises. See ``SoftHSMLibrary`` for how the copy finds
/// its configuration. What a test does not remove itself goes when the process exits.
public final class SoftHSMToken: Sendable {
    /// The directory of everything that belongs to the token. Short enough for a Unix socket beside it.
    public let directory: String
    /// The configuration, for programs that load the machine's own SoftHSM; see ``environment``.
    public let configurationPath: String
    /// The copy of the module. It reads ``configurationPath`` in whatever process it is loaded, without ``environment``.
    public let modulePath: String
    /// A file of mode 0600 with the user PIN and no line end.
    public let pinFile: String

    public let label: String
    public let userPIN: [UInt8]
    public let securityOfficerPIN: [UInt8]

    private let loadedModule: Module
    private let tokenObject = TokenObject()

    /// Makes a token that is initialised and has a user PIN; the module is left finalised.
    public init(label: String = "privyseal-test") throws {
        directory = try TemporaryDirectory.make()
        configurationPath = directory + "/conf"
        modulePath = directory + "/libsofthsm2.so"
        pinFile = directory + "/pin"
        self.label = label
        userPIN = Self.randomPIN()
        securityOfficerPIN = Self.randomPIN()
        do {
            try Self.makeFiles(directory: directory, configuration: configurationPath, pinFile: pinFile, pin: userPIN)
            try SoftHSMLibrary.copy(to: modulePath, readingConfiguration: configurationPath)
            loadedModule = try Module(path: modulePath)
        } catch {
            try? FileManager.default.removeItem(atPath: directory)
            throw error
        }
        Leftovers.shared.add(loadedModule, directory: directory)
        do {
            try loadedModule.initialize()
            try addToken(label: label)
            try loadedModule.finalize()
            tokenObject.keep(in: directory)
        } catch {
            remove()
            throw error
        }
    }

    /// Makes a token, calls with it, and removes it afterwards.
    public static func with<Result>(
        label: String = "privyseal-test", _ body: (SoftHSMToken) throws -> Result
    ) throws -> Result {
        let token = try SoftHSMToken(label: label)
        defer { token.remove() }
        return try body(token)
    }

    /// Makes a token, calls with it, and removes it afterwards.
    public static func with<Result>(
        label: String = "privyseal-test", isolation: isolated (any Actor)? = #isolation,
        _ body: (SoftHSMToken) async throws -> Result
    ) async throws -> Result {
        let token = try SoftHSMToken(label: label)
        defer { token.remove() }
        return try await body(token)
    }

    /// Puts back what makes it a token. SoftHSM 2.6.1 writes that file in place at each login, so that who is killed there
    /// leaves a token that is none; the keys on it are not touched.
    public func mend() throws {
        try tokenObject.putBack()
    }

    /// Does that where it is needed, while others go on using the token.
    public func mendIfCutShort() throws {
        if tokenObject.isCutShort { try tokenObject.putBack() }
    }

    /// `pkcs11:token=` and the label.
    public var tokenURI: String {
        let allowed = CharacterSet.alphanumerics.union(CharacterSet(charactersIn: "-._~"))
        return "pkcs11:token=" + (label.addingPercentEncoding(withAllowedCharacters: allowed) ?? label)
    }

    /// For a child process that loads the machine's own SoftHSM instead of ``modulePath``.
    public var environment: [String: String] { ["SOFTHSM2_CONF": configurationPath] }

    /// The user PIN as the module takes it.
    public func pin() -> PIN { PIN(userPIN) }

    /// The module, loaded and initialised: for a test that uses it directly. Always the same one.
    ///
    /// A test of something that loads ``modulePath`` and initialises it itself must not call this before that is done
    /// and finalised.
    public func module() throws -> Module {
        do throws(PKCS11Error) {
            try loadedModule.initialize()
        } catch  where error.returnValue == .cryptokiAlreadyInitialized {
            return loadedModule
        }
        return loadedModule
    }

    /// The slot of the token, in ``module()``.
    public func slot() throws -> Slot {
        try module().findSlot(matching: TokenURI(tokenURI))
    }

    /// A read/write session with the user logged in, in ``module()``.
    public func session() throws -> Session {
        let session = try slot().openSession(.readWrite)
        // The login is the whole module's: another session of the test may have done it.
        if try !session.info().state.isUserLoggedIn { try session.login(pin: pin()) }
        return session
    }

    /// Initialises one more token in the module, which must be initialised, with the same PINs.
    public func addToken(label: String) throws {
        guard let free = try loadedModule.slots().first(where: { try !$0.tokenInfo().flags.contains(.tokenInitialized) })
        else { throw SoftHSMError("SoftHSM shows no free slot") }
        try free.initializeToken(label: label, securityOfficerPIN: PIN(securityOfficerPIN))
        let session = try free.openSession(.readWrite)
        try session.login(.securityOfficer, pin: PIN(securityOfficerPIN))
        try session.initializeUserPIN(pin())
        try session.logout()
    }

    /// Calls something that initialises a module in this process by other means than `PKCS11`, as libp11 does: SoftHSM
    /// is not made for two at once, whatever their paths. No module may be initialised with `PKCS11` in it.
    public static func whileNoneInitializes<Result>(_ body: () throws -> Result) rethrows -> Result {
        try Module.oneAtATime(body)
    }

    /// Finalises the module and removes the directory. Once is enough; more do no harm.
    public func remove() {
        Leftovers.shared.remove(directory: directory)
    }

    private static func makeFiles(directory: String, configuration: String, pinFile: String, pin: [UInt8]) throws {
        let files = FileManager.default
        try files.createDirectory(
            atPath: directory + "/tokens", withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
        let text = """
            directories.tokendir = \(directory)/tokens
            objectstore.backend = file
            log.level = ERROR
            slots.removable = false

            """
        let contents = [configuration: Data(text.utf8), pinFile: Data(pin)]
        for (path, data) in contents {
            guard files.createFile(atPath: path, contents: data, attributes: [.posixPermissions: 0o600]) else {
                throw SoftHSMError("\(path) cannot be written")
            }
        }
    }

    private static func randomPIN() -> [UInt8] {
        (0..<12).map { _ in UInt8.random(in: UInt8(ascii: "0")...UInt8(ascii: "9")) }
    }
}

/// The preparation of a test failed.
public struct SoftHSMError: Error, CustomStringConvertible {
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}
