import Foundation
import Platform
import TestSupport
import Testing

@Suite("SoftHSM's own configuration")
struct SoftHSMConfigurationTests {
    private func configuration(_ path: String?, home: String? = nil) -> SoftHSMConfiguration {
        SoftHSMConfiguration { name in name == "HOME" ? home : path }
    }

    @Test("is the one that SOFTHSM2_CONF names, or the user's, or the machine's")
    func path() throws {
        try withTemporaryDirectory { directory in
            #expect(configuration("/a/b").path == "/a/b")
            #expect(configuration(nil, home: directory).path == "/etc/softhsm/softhsm2.conf")
            let own = directory + "/.config/softhsm2"
            try FileManager.default.createDirectory(atPath: own, withIntermediateDirectories: true)
            try Data().write(to: URL(fileURLWithPath: own + "/softhsm2.conf"))
            #expect(configuration(nil, home: directory).path == own + "/softhsm2.conf")
            #expect(configuration("", home: directory).path == "")
        }
    }

    @Test("a file that is not there is named, with what SOFTHSM2_CONF has to do with it")
    func missing() throws {
        try withTemporaryDirectory { directory in
            let fault = try #require(configuration(directory + "/none").fault())
            #expect(fault.message.hasPrefix("SoftHSM cannot read its configuration: "))
            #expect(fault.message.contains(directory + "/none"))
            #expect(fault.hint.hasPrefix("set SOFTHSM2_CONF to"))
            #expect(configuration("").fault()?.hint.hasPrefix("set SOFTHSM2_CONF to") == true)
        }
    }

    @Test("a directory of tokens that is not there is named, with the file that names it")
    func tokens() throws {
        try withTemporaryDirectory { directory in
            let file = directory + "/softhsm2.conf"
            func write(_ text: String) throws { try text.write(toFile: file, atomically: true, encoding: .utf8) }
            try write(
                "# directories.tokendir = /elsewhere\nobjectstore.backend = file\n  directories.tokendir =  \(directory)/tokens \n"
            )
            let fault = try #require(configuration(file).fault())
            #expect(fault.message.contains("the directory of its tokens: open \(directory)/tokens: "), "\(fault.message)")
            #expect(fault.hint.hasPrefix("directories.tokendir in \(file) names it"))
            #expect(configuration(file).place == "\(file) has its tokens in \(directory)/tokens")
            try FileManager.default.createDirectory(atPath: directory + "/tokens", withIntermediateDirectories: true)
            #expect(configuration(file).fault() == nil)
            try write("directories.tokendir = \(file)\n")
            #expect(configuration(file).fault() != nil, "a file is no directory")
        }
    }

    @Test(
        "is what a module by that name reads",
        arguments: [
            ("/usr/lib/softhsm/libsofthsm2.so", true), ("libsofthsm2.so", true), ("/a/softhsm/opensc-pkcs11.so", false),
            ("", false),
        ])
    func module(path: String, isSoftHSM: Bool) {
        #expect(SoftHSMConfiguration.isRead(byModule: path) == isSoftHSM)
    }
}
