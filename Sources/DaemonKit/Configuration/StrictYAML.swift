import Platform
import Yams

/// One YAML configuration file, decoded strictly: what nothing asks for is an error, and every error has its place.
///
/// The `CodingKeys` of a configuration's structs decide which keys are known. Declare them `CaseIterable`
/// (`enum CodingKeys: String, CodingKey, CaseIterable`): an error then names the nearest known key. A scalar's text is taken
/// as it stands (`0660` for a string is `0660`), anchors and aliases work, merge keys (`<<`) do not. A key without a value counts as absent.
public struct StrictYAML {
    /// The most bytes a configuration file may have, 1 MiB.
    public static let sizeLimit = 1 << 20

    let root: Node
    let file: String

    /// Parses `text`; `file` is the name errors use.
    ///
    /// Throws ``ConfigurationError`` with the code `syntax` or `duplicateKey`.
    public init(text: String, file: String) throws(ConfigurationError) {
        self.file = file
        do {
            let parser = try Parser(yaml: text)
            root = try parser.singleRoot() ?? Node([(Node, Node)]())
        } catch {
            throw Self.located(error, file: file)
        }
    }

    /// Reads and parses the file at `path`.
    ///
    /// Throws ``ConfigurationError`` with the code `unreadable`, `exposed`, `syntax` or `duplicateKey`.
    public init(path: String) throws(ConfigurationError) {
        let bytes: [UInt8]
        do {
            bytes = try RegularFile.readTrusted(path: path, limit: Self.sizeLimit)
        } catch {
            guard error.code != .exposed else { throw ConfigurationError(.exposed, error.message, hint: error.hint, file: path) }
            throw ConfigurationError(.unreadable, error.message, hint: error.hint, file: path)
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw ConfigurationError(.unreadable, "is not UTF-8 text", hint: "save the file as UTF-8", file: path)
        }
        try self.init(text: text, file: path)
    }

    /// Decodes the whole file.
    ///
    /// Throws ``ConfigurationError`` with the code `unknownKey`, `duplicateKey`, `missingKey` or `invalidValue`.
    public func decode<Value: Decodable>(_ type: Value.Type = Value.self) throws(ConfigurationError) -> Value {
        do {
            return try NodeDecoder(node: root, path: [], file: file).decode(type)
        } catch let error as ConfigurationError {
            throw error
        } catch let error as DecodingError {
            throw located(error)
        } catch {
            throw ConfigurationError(.invalidValue, "\(error)", hint: "correct the value", file: file)
        }
    }

    /// Parses and decodes `text` in one step.
    public static func decode<Value: Decodable>(
        _ type: Value.Type = Value.self, from text: String, file: String
    ) throws(ConfigurationError) -> Value {
        try StrictYAML(text: text, file: file).decode(type)
    }

    /// An error about the value at a path of keys, for a check that needs more than the one value.
    ///
    /// Its place is that of the deepest part of the path that is in the file. A number in the path is a place in a sequence.
    public func invalidValue(at path: [String], _ message: String, hint: String) -> ConfigurationError {
        let mark = node(at: path).mark
        return ConfigurationError(
            .invalidValue, message, hint: hint, file: file, line: mark?.line ?? 1, column: mark?.column ?? 1)
    }

    /// The line of the deepest part of a path that is in the file.
    public func line(at path: [String]) -> Int {
        node(at: path).mark?.line ?? 1
    }

    /// Whether a key of the mapping at a path stands there without a value, which decoding takes for an absent key.
    public func isEmpty(_ key: String, at path: [String]) -> Bool {
        guard let value = node(at: path).mapping?.first(where: { $0.key.scalar?.string == key })?.value.scalar else {
            return false
        }
        return value.style == .plain && ["", "~", "null", "Null", "NULL"].contains(value.string)
    }

    private func node(at path: [String]) -> Node {
        var node = root
        for name in path {
            if let next = node.mapping?.first(where: { $0.key.scalar?.string == name })?.value {
                node = next
            } else if let place = Int(name), let sequence = node.sequence, sequence.indices.contains(place) {
                node = sequence[place]
            } else {
                break
            }
        }
        return node
    }

    /// A `DecodingError` thrown by an `init(from:)` of its own making, with the place its coding path leads to.
    private func located(_ error: DecodingError) -> ConfigurationError {
        let context: DecodingError.Context =
            switch error {
            case .typeMismatch(_, let context), .valueNotFound(_, let context), .keyNotFound(_, let context),
                .dataCorrupted(let context):
                context
            @unknown default: DecodingError.Context(codingPath: [], debugDescription: "cannot be decoded")
            }
        return invalidValue(
            at: context.codingPath.map(\.stringValue), context.debugDescription, hint: "correct the value")
    }

    private static func located(_ error: any Error, file: String) -> ConfigurationError {
        switch error as? YamlError {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let message = ([context?.text, problem] as [String?]).compactMap { $0 }.joined(separator: ": ")
            return ConfigurationError(
                .syntax, message, hint: "correct the YAML; indentation is in spaces", file: file, line: mark.line,
                column: mark.column)
        case .reader(let problem, _, _, _):
            return ConfigurationError(.syntax, problem, hint: "remove the control characters from the file", file: file)
        case .duplicatedKeysInMapping(let duplicates, let context):
            return .duplicateKey(duplicates.first ?? "", file: file, mark: context.mark)
        default:
            return ConfigurationError(.syntax, "\(error)", hint: "correct the YAML", file: file)
        }
    }
}

extension ConfigurationError {
    static func duplicateKey(_ key: String, file: String, mark: Mark?) -> ConfigurationError {
        ConfigurationError(
            .duplicateKey, "the key \"\(key)\" is given twice", hint: "keep one of the two", file: file, line: mark?.line ?? 1,
            column: mark?.column ?? 1)
    }
}
