import Glibc

/// SoftHSM's own configuration, softhsm2.conf(5). To every fault in it SoftHSM says `CKR_GENERAL_ERROR`, and the reason to syslog alone.
public struct SoftHSMConfiguration: Sendable {
    /// The file that SoftHSM reads.
    public let path: String
    /// Whether SOFTHSM2_CONF names it.
    private let isNamed: Bool

    /// The largest file that is looked at, in bytes.
    private static let limit = 65_536
    /// Where tokens are unless the file says.
    private static let usualDirectory = "/var/lib/softhsm/tokens/"

    /// The one that SoftHSM takes with an environment: the process's own unless another is given.
    public init(environment: (String) -> String? = { Environment.value($0) }) {
        let named = environment("SOFTHSM2_CONF")
        isNamed = named != nil
        let own = (environment("HOME") ?? "") + "/.config/softhsm2/softhsm2.conf"
        path = named ?? (unsafe access(own, F_OK) == 0 ? own : "/etc/softhsm/softhsm2.conf")
    }

    /// Whether a PKCS#11 module is SoftHSM, by the name of its file.
    public static func isRead(byModule path: String) -> Bool {
        path.split(separator: "/").last?.hasPrefix("libsofthsm") == true
    }

    /// What keeps SoftHSM from its configuration or its tokens; nil where they are in order.
    public func fault() -> PlatformError? {
        let bytes: [UInt8]
        do throws(PlatformError) {
            bytes = try RegularFile.read(path: path, limit: Self.limit)
        } catch {
            return PlatformError(
                error.code, "SoftHSM cannot read its configuration: \(error.message)",
                hint: isNamed
                    ? "set SOFTHSM2_CONF to the configuration the token was made with; this runs as uid \(geteuid())"
                    : "SOFTHSM2_CONF is not set, so SoftHSM reads \(path): set it to the configuration the token was made with")
        }
        let directory = Self.tokenDirectory(in: bytes)
        do throws(PlatformError) {
            _ = try OwnedDescriptor(opening: directory, flags: O_RDONLY | O_DIRECTORY | O_NONBLOCK)
        } catch {
            return PlatformError(
                error.code, "SoftHSM cannot read the directory of its tokens: \(error.message)",
                hint: "directories.tokendir in \(path) names it: make it, or let uid \(geteuid()) read and change what is in it")
        }
        return nil
    }

    /// Where the tokens are that SoftHSM shows, for who misses one.
    public var place: String {
        let bytes = (try? RegularFile.read(path: path, limit: Self.limit)) ?? []
        return "\(path)\(isNamed ? "" : ", since SOFTHSM2_CONF is not set,") has its tokens in \(Self.tokenDirectory(in: bytes))"
    }

    private static func tokenDirectory(in bytes: [UInt8]) -> String {
        for line in String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline) {
            let parts = line.prefix { $0 != "#" }.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, trimmed(parts[0]) == "directories.tokendir" else { continue }
            return trimmed(parts[1])
        }
        return usualDirectory
    }

    private static func trimmed(_ text: Substring) -> String {
        String(text.drop(while: \.isWhitespace).reversed().drop(while: \.isWhitespace).reversed())
    }
}
