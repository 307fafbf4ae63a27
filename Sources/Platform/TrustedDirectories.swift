import Glibc

/// Directories whose mode lets others write in them, and which nobody else can reach all the same, as the configuration says: the
/// volumes of a pod, which are root's with mode 0777, 2777 or 2775.
///
/// They alone, and the files that lie right in them, are not refused for their mode; for their owner they are, and so is
/// what lies deeper.
public struct TrustedDirectories: Sendable, Hashable {
    /// Absolute, as they were given.
    public let paths: [String]

    /// None at all.
    public static let none = TrustedDirectories([])

    /// - Parameter paths: each of them as ``reason(against:)`` has nothing against.
    public init(_ paths: [String]) {
        self.paths = paths
    }

    /// What is wrong with a path: `nil` for an absolute one in its plain form that is not the root.
    public static func reason(against path: String) -> String? {
        guard path.hasPrefix("/") else { return "is not an absolute path" }
        guard path != "/" else { return "is the root, which has everything in it" }
        let names = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        guard names.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." }) else {
            return "has an empty name, . or .. in it"
        }
        guard path.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control }) else {
            return "has a control character in it"
        }
        return nil
    }

    /// Whether this directory is one of them, by whatever path, and root's or this user's.
    func contains(_ directory: stat) -> Bool {
        FileTrust.isTrusted(directory.st_uid) && paths.contains { (try? FileNumber(of: $0)) == FileNumber(directory) }
    }

    /// Whether a file lies right in one of them, wherever symbolic links lead.
    public func containsDirectory(of path: String) -> Bool {
        var status = stat()
        guard !paths.isEmpty, let real = try? FileTrust.realPath(path),
            unsafe stat(AtomicFile.directory(of: real), &status) == 0
        else { return false }
        return contains(status)
    }

    /// One for each of them: that its mode does not count, or that naming it is of no use.
    public var remarks: [StartRemark] { paths.map(Self.remark) }

    private static func remark(on path: String) -> StartRemark {
        let named = "trustedDirectories names \(path)"
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return .warning("\(named): \(systemErrorText(errno))") }
        guard status.st_mode & S_IFMT == S_IFDIR else { return .warning("\(named), which is not a directory") }
        guard FileTrust.isTrusted(status.st_uid) else {
            return .warning("\(named), which is not trusted all the same: it belongs to uid \(status.st_uid)")
        }
        let mode = FileMode.text(status.st_mode)
        guard status.st_mode & 0o022 != 0 else {
            return .warning("\(named), which needs no trust: mode \(mode) lets its owner alone write in it")
        }
        guard Mount(of: path)?.keepsOut != true else { return .warning("\(named), which needs no trust: it is read-only") }
        return .note("\(named): mode \(mode) lets others write in it, and it is taken that none of them reaches it")
    }
}
