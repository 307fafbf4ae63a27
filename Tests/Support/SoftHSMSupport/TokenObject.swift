import Foundation

/// A copy of the file in which SoftHSM keeps a token's label, flags and PINs.
final class TokenObject: @unchecked Sendable {
    private var kept: (path: String, content: Data)?
    private let lock = NSLock()

    /// Copies the file of the one token below a directory.
    func keep(in directory: String) {
        let tokens = directory + "/tokens"
        for name in (try? FileManager.default.contentsOfDirectory(atPath: tokens)) ?? [] {
            let path = "\(tokens)/\(name)/token.object"
            guard let content = FileManager.default.contents(atPath: path) else { continue }
            lock.withLock { kept = (path, content) }
        }
    }

    /// Whether the file has less in it than it had.
    var isCutShort: Bool {
        guard let (path, content) = lock.withLock({ kept }) else { return false }
        return (FileManager.default.contents(atPath: path)?.count ?? 0) < content.count
    }

    func putBack() throws {
        guard let (path, content) = lock.withLock({ kept }) else { throw CocoaError(.fileNoSuchFile) }
        try content.write(to: URL(fileURLWithPath: path))
    }
}
