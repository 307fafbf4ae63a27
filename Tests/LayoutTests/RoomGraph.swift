/// The rooms of one target, and which of its types stands in which.
///
/// A room is known by the types it declares: whoever calls a function of another room has a value of one, or says its name.
struct RoomGraph {
    private let files: [SourceFile]
    /// From the ground up; what is in no folder comes last.
    private let rooms: [String]
    /// The rooms that declare a type of a name. Those in other types are found by the name of the outer one.
    private let homes: [Substring: Set<Int>]

    init(files: [SourceFile], rooms: [String]) {
        self.files = files
        self.rooms = rooms
        var homes: [Substring: Set<Int>] = [:]
        for file in files {
            guard let room = Self.room(of: file, rooms) else { continue }
            for name in file.declaredTypes { homes[name, default: []].insert(room) }
        }
        self.homes = homes
    }

    /// How many types a room declares.
    func declared(in room: String) -> Int {
        guard let index = rooms.firstIndex(of: room) else { return 0 }
        return homes.values.count { $0.contains(index) }
    }

    /// Every line that names a type of a later room, and every file in a folder that is no room.
    var violations: [Violation] {
        files.flatMap { file -> [Violation] in
            guard let room = Self.room(of: file, rooms) else {
                return [Violation(path: file.path, line: 1, rule: "its folder is none of \(rooms.joined(separator: ", "))")]
            }
            return file.code.enumerated().flatMap { index, line in
                Set(SourceFile.words(line)).sorted().compactMap { word in
                    guard let lowest = homes[word]?.min(), lowest > room, !file.ownTypes.contains(word) else { return nil }
                    let home = lowest < rooms.count ? rooms[lowest] : file.target
                    return Violation(
                        path: file.path, line: index + 1, rule: "\(rooms[room]) may not use \(word), which stands in \(home)")
                }
            }
        }
    }

    /// The place of a file's room in the row; that after the last for a file in no folder, and nil in one that is no room.
    private static func room(of file: SourceFile, _ rooms: [String]) -> Int? {
        let parts = file.path.split(separator: "/")
        return parts.count == 2 ? rooms.count : rooms.firstIndex(of: String(parts[1]))
    }
}

extension SourceFile {
    private static let keywords: Set<Substring> = [
        "struct", "class", "enum", "actor", "protocol", "typealias", "associatedtype",
    ]

    /// Each type that is declared, and whether other files can name it: not one in another type, nor one that is the file's own.
    private var types: [(name: Substring, isOpen: Bool)] {
        code.compactMap { line in
            let words = Self.words(line)
            guard let place = words.firstIndex(where: Self.keywords.contains), words.indices.contains(place + 1),
                words[place + 1].first?.isUppercase == true
            else { return nil }
            let isPrivate = words[..<place].contains { $0 == "private" || $0 == "fileprivate" }
            return (words[place + 1], line.first?.isWhitespace == false && !isPrivate)
        }
    }

    /// The types that other files can name.
    fileprivate var declaredTypes: [Substring] { types.filter(\.isOpen).map(\.name) }

    /// What the file itself calls by a name that may be another's elsewhere.
    fileprivate var ownTypes: Set<Substring> { Set(types.filter { !$0.isOpen }.map(\.name)) }

    fileprivate static func words(_ line: Substring) -> [Substring] {
        line.split { !$0.isLetter && !$0.isNumber && $0 != "_" }
    }
}
