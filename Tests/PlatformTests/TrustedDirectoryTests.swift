import Foundation
import Platform
import TestSupport
import Testing

@Suite("Directories that the configuration trusts")
struct TrustedDirectoryTests {
    @Test(
        "are not refused for their mode, nor is what lies right in them; what lies deeper and beside is",
        arguments: [0o777, 0o2777, 0o2775, 0o1777, 0o770])
    func mode(mode: Int) throws {
        try withTemporaryDirectory { directory in
            let volume = "\(directory)/volume"
            let trusted = TrustedDirectories([volume])
            for path in ["volume", "volume/deeper", "beside"] {
                try makeDirectory("\(directory)/\(path)", mode: 0o755)
                try writeFile("\(directory)/\(path)/file", "x", mode: 0o660)
                try setMode("\(directory)/\(path)", mode)
            }
            try FileTrust.checkDirectory(volume, "the directory", trusting: trusted)
            try UnixSocketPath("\(volume)/s", trusting: trusted).checkDirectory()
            try FileTrust.checkFile("\(volume)/file", "the module", trusting: trusted)
            #expect(try RegularFile.readTrusted(path: "\(volume)/file", limit: 10, trusting: trusted).count == 1)
            _ = try AppendedFile(path: "\(volume)/file", trusting: trusted)
            for path in ["\(volume)/deeper", "\(directory)/beside"] {
                for check: () throws -> Void in [
                    { try FileTrust.checkDirectory(path, "the directory", trusting: trusted) },
                    { try UnixSocketPath("\(path)/s", trusting: trusted).checkDirectory() },
                    { try FileTrust.checkFile("\(path)/file", "the module", trusting: trusted) },
                    { _ = try RegularFile.readTrusted(path: "\(path)/file", limit: 10, trusting: trusted) },
                    { _ = try AppendedFile(path: "\(path)/file", trusting: trusted) },
                ] {
                    #expect(throws: PlatformError(.exposed, "", hint: "")) { try check() }
                }
            }
        }
    }

    @Test("are named by the hint of what is refused without them")
    func hint() throws {
        try withTemporaryDirectory { directory in
            try makeDirectory("\(directory)/run", mode: 0o777)
            let error = #expect(throws: PlatformError.self) { try UnixSocketPath("\(directory)/run/s").checkDirectory() }
            #expect(error?.hint.contains("trustedDirectories: [\(directory)/run]") == true)
        }
    }

    @Test("are found by any path that leads to them, and let a private directory lie below them")
    func place() throws {
        try withTemporaryDirectory { directory in
            try makeDirectory("\(directory)/volume/store", mode: 0o700)
            try setMode("\(directory)/volume", 0o777)
            try FileManager.default.createSymbolicLink(
                atPath: "\(directory)/link", withDestinationPath: "\(directory)/volume")
            for path in ["volume", "link"] {
                let trusted = TrustedDirectories(["\(directory)/\(path)"])
                for store in ["volume/store", "link/store"] {
                    try FileTrust.checkPlace(of: "\(directory)/\(store)", "the store", trusting: trusted)
                    #expect(throws: PlatformError(.exposed, "", hint: "")) {
                        try FileTrust.checkPlace(of: "\(directory)/\(store)", "the store")
                    }
                }
            }
        }
    }

    @Test("do not vouch for what a symbolic link in them leads to")
    func link() throws {
        try withTemporaryDirectory { directory in
            for path in ["volume", "beside"] { try makeDirectory("\(directory)/\(path)", mode: 0o755) }
            try writeFile("\(directory)/beside/file", "x", mode: 0o666)
            let link = "\(directory)/volume/file"
            try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "\(directory)/beside/file")
            let trusted = TrustedDirectories(["\(directory)/volume"])
            for check: () throws -> Void in [
                { try FileTrust.checkFile(link, "the module", trusting: trusted) },
                { _ = try RegularFile.readTrusted(path: link, limit: 10, trusting: trusted) },
            ] {
                #expect(throws: PlatformError(.exposed, "", hint: "")) { try check() }
            }
        }
    }

    @Test("are refused for their owner all the same", .enabled(if: currentUser() == 0, "takes root"))
    func owner() throws {
        try withTemporaryDirectory { directory in
            let volume = "\(directory)/volume"
            try makeDirectory(volume, mode: 0o777)
            try writeFile("\(volume)/file", "x", mode: 0o644)
            try #require(giveAway(volume))
            let trusted = TrustedDirectories([volume])
            for check: () throws -> Void in [
                { try FileTrust.checkDirectory(volume, "the directory", trusting: trusted) },
                { try FileTrust.checkPlace(of: "\(volume)/file", "the file", trusting: trusted) },
            ] {
                #expect(throws: PlatformError(.exposed, "", hint: "")) { try check() }
            }
            let remark = try #require(trusted.remarks.first)
            #expect(remark.isWarning && remark.text.contains("it belongs to uid 4242"))
        }
    }

    @Test("are named at a start, and those that need no trust, or are none, are warned of")
    func remarks() throws {
        try withTemporaryDirectory { directory in
            for (name, mode) in [("open", 0o2777), ("shut", 0o755)] { try makeDirectory("\(directory)/\(name)", mode: mode) }
            try writeFile("\(directory)/file", "x")
            let remarks = TrustedDirectories(["open", "shut", "file", "absent"].map { "\(directory)/\($0)" }).remarks
            #expect(remarks.map(\.isWarning) == [false, true, true, true])
            for (remark, said) in zip(remarks, ["mode 2777", "needs no trust: mode 0755", "not a directory", "No such file"]) {
                #expect(remark.text.contains(said))
            }
        }
    }

    @Test(
        "are absolute paths in their plain form",
        arguments: [
            ("/run/privyseal", true), ("/data", true), ("/a b/ü", true), ("run", false), ("", false), ("/", false),
            ("/run/", false), ("//run", false), ("/run/../etc", false), ("/run/.", false), ("/run/a\nb", false),
        ])
    func paths(path: String, isGood: Bool) {
        #expect((TrustedDirectories.reason(against: path) == nil) == isGood)
    }
}
