import Foundation
import Glibc
import PKCS11

/// The tokens that tests have not removed themselves.
// All state is read and written under the lock only.
final class Leftovers: @unchecked Sendable {
    static let shared = Leftovers()

    private var tokens: [(module: Module, directory: String)] = []
    private let lock = NSLock()

    /// Remembers a token, to be removed when the process exits.
    func add(_ module: Module, directory: String) {
        lock.lock()
        defer { lock.unlock() }
        tokens.append((module, directory))
        // Once for each module, because handlers run last in, first out: SoftHSM must be finalised before its own
        // destructors run, and loading it has just put those on the list.
        atexit { Leftovers.shared.removeAll() }
    }

    /// Finalises a token's module, whoever initialised it, and removes its directory; a second time does nothing.
    func remove(directory: String) {
        lock.lock()
        defer { lock.unlock() }
        guard let index = tokens.firstIndex(where: { $0.directory == directory }) else { return }
        Self.remove(tokens.remove(at: index))
    }

    private func removeAll() {
        lock.lock()
        defer { lock.unlock() }
        tokens.forEach(Self.remove)
        tokens = []
    }

    private static func remove(_ token: (module: Module, directory: String)) {
        // That it is not initialised is fine, and after any other failure there is nothing left to do.
        try? token.module.finalize()
        try? FileManager.default.removeItem(atPath: token.directory)
    }
}
