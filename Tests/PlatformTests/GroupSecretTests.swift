import Foundation
import Platform
import TestSupport
import Testing

@Suite("A secret that its group can read", .enabled(if: currentUser() == 0, "takes root"))
struct GroupSecretTests {
    /// Reads secrets as uid 10001 with the supplementary group 20001, which no account of the machine has to do with.
    private func asContainer(_ files: [(owner: UInt32, group: UInt32, mode: UInt32)], _ isTaken: Bool) async throws {
        // An exit test takes over nothing but what is written down for it.
        let list = files.map { "\($0.owner) \($0.group) \($0.mode)" }.joined(separator: "\n")
        await #expect(processExitsWith: .success) { [list = list as String, isTaken] in
            try withTemporaryDirectory { directory in
                try FileMode.set(0o755, of: directory)
                try FileMode.setOwner(of: directory, uid: 10_001)
                let files = list.split(separator: "\n").map { $0.split(separator: " ").compactMap { UInt32($0) } }
                for (number, file) in files.enumerated() {
                    let path = "\(directory)/pin\(number)"
                    try writeFile(path, "1234\n")
                    try FileMode.setOwner(of: path, uid: file[0], gid: file[1])
                    try FileMode.set(file[2], of: path)
                }
                try #require(becomeContainer(uid: 10_001, groups: [20_001, 1, 65_534]))
                for number in files.indices {
                    let path = "\(directory)/pin\(number)"
                    if isTaken {
                        #expect(try SecretFile.read(path: path) == Array("1234".utf8))
                        let remark = try #require(SecretFile.remark(on: path))
                        #expect(
                            !remark.isWarning && remark.text.contains(path)
                                && remark.text.contains("no other account is in its group"))
                    } else {
                        let error = #expect(throws: PlatformError.self) { try SecretFile.read(path: path) }
                        #expect(error?.code == .exposed && error?.hint.contains("defaultMode: 0400") == true)
                        #expect(SecretFile.remark(on: path) == nil)
                    }
                }
            }
        }
    }

    @Test("is taken, and named at a start, when it is root's and nobody else is in that group")
    func taken() async throws {
        try await asContainer([(0, 20_001, 0o440), (0, 20_001, 0o640), (0, 10_001, 0o440)], true)
    }

    @Test(
        "is refused when others can read it, the group can write, the group has others in it or is of another namespace, or another user owns it"
    )
    func refused() async throws {
        try await asContainer(
            [
                (0, 20_001, 0o444), (0, 20_001, 0o660), (0, 20_001, 0o644), (0, 1, 0o440), (0, 65_534, 0o440),
                (4_242, 20_001, 0o440),
            ], false)
    }
}
