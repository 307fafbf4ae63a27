import CPlatform
import Glibc

/// The process's environment, for values that are no secrets.
public enum Environment {
    /// The value of a variable, nil when it is not set.
    public static func value(_ name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        return unsafe String(cString: value)
    }
}

/// An environment variable that holds one secret.
public enum EnvironmentSecret {
    /// Reads the variable, overwrites its value in place and unsets it: `/proc/PID/environ` keeps what was only unset.
    ///
    /// At start-up only, before other threads read the environment. Throws ``PlatformError`` with the code `missing`, `empty` or
    /// `tooLong` (over 4 KiB); also then the value is overwritten. The caller wipes what it gets.
    public static func take(_ name: String) throws(PlatformError) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: SecretBytes.limit)
        defer { SecretBytes.wipe(&buffer) }
        var length = 0
        let failure = unsafe privyseal_take_environment(name, &buffer, buffer.count, &length)
        switch failure {
        case 0: break
        case ENOENT:
            throw PlatformError(.missing, "the environment variable \(name) is not set", hint: "set it, or name a file instead")
        case ERANGE:
            throw PlatformError(
                .tooLong, "the environment variable \(name) is longer than \(SecretBytes.limit) bytes",
                hint: "it holds the secret and nothing else")
        default:
            throw PlatformError(
                .systemCall, "unsetenv \(name): \(systemErrorText(failure))", hint: "name a file instead of a variable")
        }
        let secret = SecretBytes.trimmed(buffer, count: length)
        guard !secret.isEmpty else {
            throw PlatformError(.empty, "the environment variable \(name) is empty", hint: "set it to the secret")
        }
        return secret
    }
}
