/// A secret that systemd hands to a service in a directory of its own (systemd.exec(5), `LoadCredential=`).
public enum SystemdCredential {
    /// Reads the credential `name` from `directory`, by default `$CREDENTIALS_DIRECTORY`, without one trailing newline.
    ///
    /// Throws ``PlatformError`` as ``SecretFile/read(path:)`` does, and `malformed` for a name that is not a plain file name.
    /// systemd grants access with an ACL, whose mask shows as group bits: here only access for others is refused.
    public static func read(
        _ name: String, directory: String? = Environment.value("CREDENTIALS_DIRECTORY")
    ) throws(PlatformError) -> [UInt8] {
        guard let directory, !directory.isEmpty else {
            throw PlatformError(
                .missing, "there is no credential \"\(name)\": CREDENTIALS_DIRECTORY is not set",
                hint: "add LoadCredential=\(name):PATH to the unit")
        }
        guard !name.isEmpty, name != ".", name != "..", !name.utf8.contains(UInt8(ascii: "/")) else {
            throw PlatformError(.malformed, "\"\(name)\" is not a credential name", hint: "give the name used in LoadCredential=")
        }
        return try SecretFile.read(path: "\(directory)/\(name)", forbidden: 0o007)
    }
}
