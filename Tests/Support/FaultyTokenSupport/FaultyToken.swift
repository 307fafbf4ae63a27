import Foundation
public import PKCS11
import Platform
public import SoftHSMSupport

/// A SoftHSM token behind a module that fails on command: a copy of `Tests/FaultyToken` of its own for each test.
///
/// ``modulePath`` can be loaded by this process or by one that a test starts; its settings stand beside it. The rules
/// are described in `Tests/FaultyToken/README.md`.
public final class FaultyToken: Sendable {
    /// The token behind it. Its own module, used in this process, has one state with the faulty one's.
    public let softHSM: SoftHSMToken
    /// The copy of the faulty module, in the token's directory.
    public let modulePath: String

    private let controlPath: String
    private let countersPath: String
    /// The time of the last rules, which the next must differ from: the module looks at it.
    private let written = Locked(Date.distantPast)
    private let loaded = Locked<Module?>(nil)

    /// Makes a token and a module for it without rules, and without the functions that are to lack.
    public convenience init(label: String = "privyseal-test", lacking functions: [String] = []) throws {
        let token = try SoftHSMToken(label: label)
        do {
            try self.init(before: token, in: token.directory, lacking: functions)
        } catch {
            token.remove()
            throw error
        }
    }

    /// Makes a module without rules before a token that others may have modules before as well: each its own, in a directory of its
    /// own. The token is not removed with it.
    ///
    /// - Parameter module: the real module it stands before, for several in one process; the token's own unless given.
    public init(
        before token: SoftHSMToken, in directory: String, module: String? = nil, lacking functions: [String] = []
    ) throws {
        softHSM = token
        modulePath = directory + "/libFaultyToken.so"
        controlPath = directory + "/rules"
        countersPath = directory + "/counters"
        try FileManager.default.copyItem(atPath: FaultyModule.path, toPath: modulePath)
        // Whatever the umask it was built with: an agent refuses a module that others can write.
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: modulePath)
        let settings =
            ["module=\(module ?? softHSM.modulePath)", "control=\(controlPath)", "counters=\(countersPath)"]
            + functions.map { "lacks=\($0)" }
        try Data(settings.joined(separator: "\n").utf8).write(to: URL(fileURLWithPath: modulePath + ".conf"))
        try clear()
    }

    /// Makes a token, calls with it, lets go of every call that is held, and removes the token.
    @discardableResult
    public static func with<Result>(
        label: String = "privyseal-test", lacking functions: [String] = [], isolation: isolated (any Actor)? = #isolation,
        _ body: (FaultyToken) async throws -> Result
    ) async throws -> Result {
        let token = try FaultyToken(label: label, lacking: functions)
        do {
            let result = try await body(token)
            await token.end()
            return result
        } catch {
            await token.end()
            throw error
        }
    }

    private func end() async {
        try? clear()
        await poll(.seconds(2)) { try self.counters().allSatisfy { !$0.key.hasSuffix(":held") || $0.value == 0 } }
        softHSM.remove()
    }

    // Rules

    /// Replaces all rules, at once for the module; each of them starts counting unless it was there before.
    public func set(_ rules: String...) throws { try set(rules) }

    /// Replaces all rules, at once for the module; each of them starts counting unless it was there before.
    public func set(_ rules: [String]) throws {
        try written.withLock { last in
            let fresh = controlPath + ".new"
            try Data(rules.map { $0 + "\n" }.joined().utf8).write(to: URL(fileURLWithPath: fresh))
            // A file system's clock can stand still between two writes, and give an inode out again.
            last = max(Date(), last.addingTimeInterval(0.001))
            try FileManager.default.setAttributes([.modificationDate: last], ofItemAtPath: fresh)
            guard unsafe rename(fresh, controlPath) == 0 else { throw FaultyTokenError("\(controlPath) cannot be replaced") }
        }
    }

    /// Takes every rule away. Calls that are held go on.
    public func clear() throws { try set([]) }

    // Counters

    /// A counter, such as `C_Sign`, `C_Sign:fault`, `C_Sign:held` or `C_GetAttributeValue:CKA_ID`.
    public func count(_ name: String) throws -> Int {
        try counters()[name] ?? 0
    }

    /// Every counter that is not absent, of all processes that have used the module so far.
    public func counters() throws -> [String: Int] {
        try Counters.read(countersPath)
    }

    /// Waits until a counter has reached a number, for two minutes at most. False when it has not.
    public func waitFor(_ name: String, atLeast number: Int = 1) async throws -> Bool {
        await poll(.seconds(120)) { try self.count(name) >= number }
    }

    @discardableResult
    private func poll(_ time: Duration, _ isSo: () throws -> Bool) async -> Bool {
        let deadline = ContinuousClock.now + time
        repeat {
            if (try? isSo()) == true { return true }
            try? await Task.sleep(for: .milliseconds(5))
        } while ContinuousClock.now < deadline
        return false
    }

    // Use in this process

    /// The faulty module, loaded and initialised in this process. Always the same one.
    ///
    /// A test of something that loads ``modulePath`` and initialises it itself must not call this before that is done
    /// and finalised.
    public func module() throws -> Module {
        let module = try loaded.withLock { loaded in
            let module = try loaded ?? Module(path: modulePath)
            loaded = module
            return module
        }
        do {
            try module.initialize()
        } catch {
            guard error.returnValue == .cryptokiAlreadyInitialized else { throw error }
        }
        return module
    }

    /// The slot of the token, in ``module()``.
    public func slot() throws -> Slot {
        try module().findSlot(matching: TokenURI(softHSM.tokenURI))
    }

    /// A read/write session with the user logged in, in ``module()``.
    public func session() throws -> Session {
        let session = try slot().openSession(.readWrite)
        if try !session.info().state.isUserLoggedIn { try session.login(pin: softHSM.pin()) }
        return session
    }
}

/// The preparation of a test failed.
public struct FaultyTokenError: Error, CustomStringConvertible {
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}
