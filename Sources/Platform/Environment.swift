import Glibc

/// The process's environment, for values that are no secrets.
public enum Environment {
    /// The value of a variable, nil when it is not set.
    public static func value(_ name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        return unsafe String(cString: value)
    }
}
