import Foundation

/// Bytes that must not be found, in each spelling they may have.
struct Secret: Sendable {
    /// What it is called where it is found.
    let name: String
    private let needles: [(spelling: String, bytes: Data)]

    /// - Parameter bytes: at least eight; fewer would be found where they mean nothing.
    init(_ name: String, _ bytes: some Sequence<UInt8>) {
        let bytes = Data(bytes)
        precondition(bytes.count >= 8, "\(name) is too short to be looked for")
        self.name = name
        let hex = bytes.map { String(format: "%02x", $0) }
        var needles = [("as it is", bytes), ("in reverse", Data(bytes.reversed()))]
        for text in [hex.joined(), hex.joined().uppercased(), hex.joined(separator: ":"), hex.joined(separator: " ")] {
            needles.append(("in hex", Data(text.utf8)))
        }
        for text in Self.base64(of: bytes) { needles.append(("in base64", text)) }
        needles.append(("in UTF-16", Data(bytes.flatMap { [$0, 0] })))
        self.needles = needles
    }

    init(_ name: String, text: String) {
        self.init(name, text.utf8)
    }

    /// How it stands in `data`; nil when it does not.
    func spelling(in data: Data) -> String? {
        needles.first { data.range(of: $0.bytes) != nil }?.spelling
    }

    /// The part of its base64 text that does not depend on its neighbours, wherever in a longer text it begins.
    private static func base64(of bytes: Data) -> [Data] {
        (0..<3).flatMap { offset -> [Data] in
            let text = (Data(repeating: 0, count: offset) + bytes).base64EncodedString()
            // Four characters are three bytes: the group that it shares with what is in front goes, and the one behind.
            let start = offset == 0 ? 0 : 4
            let end = (offset + bytes.count) / 3 * 4
            let own = text.utf8.dropFirst(start).prefix(max(0, end - start)).filter { $0 != UInt8(ascii: "=") }
            guard own.count >= 8 else { return [] }
            let standard = String(decoding: own, as: UTF8.self)
            let forURLs = standard.replacing("+", with: "-").replacing("/", with: "_")
            return [standard, forURLs].map { Data($0.utf8) }
        }
    }
}

/// Something that was said or written, and where.
struct Evidence: Sendable {
    let place: String
    let data: Data

    init(_ place: String, _ data: Data) {
        self.place = place
        self.data = data
    }

    init(_ place: String, text: String) {
        self.init(place, Data(text.utf8))
    }
}

/// Looks for secrets in evidence.
struct SecretSearch: Sendable {
    var secrets: [Secret]
    /// Looks for the private keys themselves.
    var keys = PrivateKeySearch()

    /// What was found and where, a line each.
    func findings(in evidence: [Evidence]) -> [String] {
        evidence.flatMap { evidence in
            let spelt = secrets.compactMap { secret in
                secret.spelling(in: evidence.data).map { "\(secret.name) \($0) in \(evidence.place)" }
            }
            let marked = PrivateKeySearch.markers.filter { evidence.data.range(of: $0.bytes) != nil }.map {
                "\($0.name) in \(evidence.place)"
            }
            let held = keys.kidsHeld(in: evidence.data).sorted().map { "the private key of \($0) in \(evidence.place)" }
            return spelt + marked + held
        }
    }
}

extension Evidence {
    /// Every regular file below a directory, read as it is now.
    static func files(below directory: String, except exempt: Set<String>) throws -> [Evidence] {
        try FileManager.default.subpathsOfDirectory(atPath: directory).sorted().compactMap { name in
            let path = directory + "/" + name
            let type = try? FileManager.default.attributesOfItem(atPath: path)[.type] as? FileAttributeType
            guard type == .typeRegular, !exempt.contains(path) else { return nil }
            // A file may go between being named and being read.
            guard let data = FileManager.default.contents(atPath: path) else { return nil }
            return Evidence(path, data)
        }
    }

    /// What the kernel shows of a process to those who may look.
    static func process(_ id: Int32) throws -> [Evidence] {
        try ["environ", "cmdline"].map { name in
            let path = "/proc/\(id)/\(name)"
            let data = try Data(contentsOf: URL(fileURLWithPath: path))
            guard !data.isEmpty else { throw CocoaError(.fileReadUnknown) }
            return Evidence(path, data)
        }
    }
}
