import DaemonKit
import Testing

@Suite("Sizes in a configuration file")
struct SizeValueTests {
    private struct File: Decodable {
        let size: SizeValue

        enum CodingKeys: String, CodingKey, CaseIterable { case size }
    }

    private func size(_ text: String) throws -> SizeValue {
        try StrictYAML(text: "size: \(text)", file: "test.yaml").decode(File.self).size
    }

    @Test(
        "a size is a whole number with its unit, and is written back so",
        arguments: [("512KiB", 512 << 10), ("64MiB", 64 << 20), ("1GiB", 1 << 30), ("2TiB", 2 << 40)])
    func parse(text: String, bytes: Int) throws {
        #expect(try size(text) == SizeValue(bytes: bytes))
        #expect(SizeValue(bytes: bytes).description == text)
    }

    @Test(
        "anything else is refused",
        arguments: ["1", "1GB", "1 GiB", "-1GiB", "1.5GiB", "GiB", "1gib", "8388608TiB", "99999999999999999999KiB"])
    func refused(text: String) {
        #expect(throws: ConfigurationError.self) { try size(text) }
    }
}
