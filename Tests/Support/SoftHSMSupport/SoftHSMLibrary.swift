import Foundation

/// SoftHSM's shared library, as installed on this machine.
enum SoftHSMLibrary {
    private static let paths = [
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    ]

    /// Copies the library and makes the copy read this configuration, always.
    ///
    /// SoftHSM takes the path of its configuration from the environment at each `C_Initialize`. The environment is
    /// the whole process's, and changing it while other threads read it can crash them, so tests that run side by side
    /// need another way. In the copy, the name of the variable becomes one that nobody sets, and the path
    /// compiled in for the case that there is none becomes this configuration's. The per-user file, which would be
    /// looked for in between, gets a name that does not exist.
    static func copy(to destination: String, readingConfiguration configuration: String) throws {
        guard let source = paths.first(where: FileManager.default.fileExists(atPath:)) else {
            throw SoftHSMError("SoftHSM is not installed: none of \(paths.joined(separator: ", ")) is there")
        }
        var library = try Data(contentsOf: URL(fileURLWithPath: source))
        try replace("SOFTHSM2_CONF", with: "-", in: &library)
        try replace("%s/.config/softhsm2/softhsm2.conf", with: "%s/-/-/-", in: &library)
        try replace("/etc/softhsm/softhsm2.conf", with: configuration, in: &library)
        try library.write(to: URL(fileURLWithPath: destination))
        // Whatever the umask: an agent refuses a module that others can write.
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: destination)
    }

    /// Replaces a C string that stands in the library exactly once by one that is not longer.
    private static func replace(_ old: String, with new: String, in library: inout Data) throws {
        let pattern = Data([0] + Array(old.utf8) + [0])
        guard new.utf8.count <= old.utf8.count,
            let place = library.range(of: pattern),
            library.range(of: pattern, in: place.upperBound - 1..<library.endIndex) == nil
        else {
            throw SoftHSMError("this build of SoftHSM cannot be given a configuration: \"\(old)\" is not there as expected")
        }
        let filling = [UInt8](repeating: 0, count: pattern.count - 1 - new.utf8.count)
        library.replaceSubrange(place, with: [0] + Array(new.utf8) + filling)
    }
}
