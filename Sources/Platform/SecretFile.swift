import CPlatform
import Glibc

/// A file that holds one secret: a PIN, a password.
public enum SecretFile {
    /// Reads the secret, without one trailing newline.
    ///
    /// Throws ``PlatformError`` with the code `missing`, `denied`, `notRegularFile`, `exposed` (group or others may read or write
    /// it; the message names the mode), `tooLong` (over 4 KiB) or `empty`. The caller wipes what it gets.
    public static func read(path: String) throws(PlatformError) -> [UInt8] {
        try read(path: path, forbidden: 0o066)
    }

    /// Reads a secret whose mode has none of the `forbidden` bits.
    static func read(path: String, forbidden: mode_t) throws(PlatformError) -> [UInt8] {
        // Without O_NONBLOCK, opening a FIFO would wait for somebody to write to it.
        let file = try OwnedDescriptor(opening: path, flags: O_RDONLY | O_NONBLOCK | O_NOCTTY)
        let status = try file.status(of: path)
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw PlatformError(
                .notRegularFile, "\(path) is not a regular file", hint: "name a file that holds the secret and nothing else")
        }
        let mode = status.st_mode & 0o7777
        guard mode & forbidden == 0 else {
            throw PlatformError(
                .exposed, "\(path) has mode \(FileMode.text(mode)), so others than its owner can reach the secret",
                hint: "chmod 0600 \(path), and change the secret if it may have been read")
        }
        var buffer = [UInt8](repeating: 0, count: SecretBytes.limit + 1)
        defer { SecretBytes.wipe(&buffer) }
        let count = try file.read(into: &buffer, of: path)
        guard count <= SecretBytes.limit else {
            throw PlatformError(
                .tooLong, "\(path) is longer than \(SecretBytes.limit) bytes", hint: "the file holds the secret and nothing else")
        }
        let secret = SecretBytes.trimmed(buffer, count: count)
        guard !secret.isEmpty else {
            throw PlatformError(.empty, "\(path) is empty", hint: "write the secret into it, on one line")
        }
        return secret
    }
}
