import Foundation
import Glibc
import Platform
import TestSupport
import Testing

@Suite("Loaded libraries")
struct LoadedLibrariesTests {
    @Test("that were to be kept stay loaded when they are closed")
    func kept() throws {
        let original = try #require(
            ["x86_64", "aarch64"].map { "/usr/lib/\($0)-linux-gnu/libz.so.1" }
                .first(where: FileManager.default.fileExists(atPath:)))
        try withTemporaryDirectory { directory in
            // One that nobody else in this process has loaded, and that goes when it is closed.
            let copy = directory + "/libz.so"
            try Data(contentsOf: URL(fileURLWithPath: original)).write(to: URL(fileURLWithPath: copy))
            let library = unsafe try #require(dlopen(copy, RTLD_NOW | RTLD_LOCAL))
            LoadedLibraries.keep()
            unsafe dlclose(library)
            let again = unsafe dlopen(copy, RTLD_NOW | RTLD_NOLOAD)
            #expect(unsafe again != nil)
            if let again = unsafe again { unsafe dlclose(again) }
        }
    }
}
