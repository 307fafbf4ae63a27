import Foundation
import ProtocolSupport
import Testing

@testable import AgentProtocol

/// Every JSON block of `protocol.md` is what the code reads and writes: same members, same types, nothing more.
@Suite("protocol.md")
struct ProtocolDocumentTests {
    private let document: ProtocolDocument

    init() throws {
        document = try ProtocolDocument()
    }

    @Test("every request decodes, with no more and no less than its method's parameters")
    func requests() throws {
        for block in document.blocks where block.value["method"] != nil && block.value["id"] != nil {
            let request = try Request.decode(Array(block.text.utf8))
            if let section = block.section {
                #expect(request.method == section, "line \(block.line)")
            }
            let kind = try #require(Self.kinds[request.method], "line \(block.line)")
            try kind.checkParameters(request.params, block)
        }
    }

    @Test("every result decodes to its method's type, and that encodes to the same members")
    func results() throws {
        for block in document.blocks {
            guard let result = block.value["result"] else { continue }
            let kind = try #require(Self.kinds[block.section ?? .version], "line \(block.line)")
            let encoded = try kind.recode(result)
            #expect(encoded.sorted == result.sorted, "line \(block.line)")
            guard case .result = try AgentLine.decode(Array(block.text.utf8)) else {
                Issue.record("line \(block.line) is no result")
                continue
            }
        }
    }

    @Test("every error has a reason of the list, with its code and its retryability")
    func errors() throws {
        for block in document.blocks where block.value["error"] != nil {
            guard case .failure(let id, let error) = try AgentLine.decode(Array(block.text.utf8)) else {
                Issue.record("line \(block.line) is no error")
                continue
            }
            #expect(error.code == error.reason.code, "line \(block.line)")
            #expect(Reason.all.contains { $0.reason == error.reason }, "line \(block.line)")
            #expect(error.retryable == error.reason.isRetryable, "line \(block.line)")
            #expect(error.json.sorted == block.value["error"]?.sorted, "line \(block.line)")
            #expect((id == nil) == (block.value["id"] == .null), "line \(block.line)")
        }
    }

    @Test("every notification is one")
    func notifications() throws {
        let blocks = document.blocks.filter { $0.value["method"] != nil && $0.value["id"] == nil }
        #expect(!blocks.isEmpty)
        for block in blocks {
            guard case .notification(IssuerChanges.method, let params?) = try AgentLine.decode(Array(block.text.utf8)) else {
                Issue.record("line \(block.line) is no notification")
                continue
            }
            let changes = try JSONValue(parsing: params).decode(IssuerChanges.self)
            #expect(changes.json.sorted == block.value["params"]?.sorted, "line \(block.line)")
        }
    }

    @Test("every method has a section with a request, a reply and an error, and names its parameters", arguments: Method.all)
    func sections(_ method: Method) throws {
        let blocks = document.blocks.filter { $0.section == method }
        #expect(blocks.contains { $0.value["method"] != nil && $0.value["id"] != nil })
        #expect(blocks.contains { $0.value["result"] != nil })
        #expect(blocks.contains { $0.value["error"] != nil })
        let section = try #require(document.sections[method])
        for name in try #require(Self.kinds[method]).memberNames {
            #expect(section.contains("`\(name)`"), "\(name)")
        }
        let permission =
            switch method {
            case .version: "none"
            case .acknowledge: "`watch`"
            default: "`\(method)`"
            }
        #expect(section.contains("Permission: \(permission)"))
    }

    @Test("every block is a message of one of these kinds")
    func allBlocks() {
        for block in document.blocks {
            #expect(
                block.value["jsonrpc"] == "2.0"
                    && ["method", "result", "error"].filter { block.value[$0] != nil }.count == 1, "line \(block.line)")
        }
        #expect(document.blocks.count >= 3 * Method.all.count)
    }

    @Test("the table of reasons is the list of the code")
    func reasons() {
        let rows = document.text.split(separator: "\n").filter { $0.hasPrefix("| `") && $0.contains("` | -32") }.map {
            $0.split(separator: "|").prefix(3).map { $0.trimmingCharacters(in: .whitespaces) }
        }
        let expected = Reason.all.map { reason, code in
            ["`\(reason)`", "\(code)", reason.isRetryable ? "yes" : "no"]
        }
        #expect(Set(rows) == Set(expected))
        #expect(rows.count == expected.count)
    }

    @Test("the limits and versions are those of the code")
    func limits() {
        for value in [ProtocolLimits.requestLine, ProtocolLimits.replyLine] {
            #expect(document.text.contains(value.formatted(.number.locale(Locale(identifier: "en_US")))))
        }
        #expect(document.text.contains("(1 to \(ProtocolLimits.maximumPage), \(ProtocolLimits.defaultPage) unless given)"))
        #expect(document.text.contains("| \(ProtocolLimits.depth) in a line"))
        #expect(document.text.contains("Version \(ProtocolVersion.current)."))
    }

    // MARK: Methods by name

    private struct Kind: Sendable {
        let memberNames: [String]
        let checkParameters: @Sendable (JSONSlice?, ProtocolDocument.Block) throws -> Void
        let recode: @Sendable (JSONValue) throws -> JSONValue
    }

    private static func kind<P: RequestParameters>(_ type: P.Type) -> (Method, Kind) {
        let kind = Kind(
            memberNames: P.memberNames,
            checkParameters: { params, block in
                let value: P
                if P.method == .sign {
                    _ = try SignRequest.decode(params)
                    value = try JSONValue(parsing: try #require(params)).decode(P.self)
                } else {
                    value = try ParameterDecoder.decode(type, from: params)
                }
                #expect(try JSONValue(encoding: value).sorted == (block.value["params"] ?? [:]).sorted, "line \(block.line)")
            },
            recode: { try JSONValue(encoding: $0.decode(P.Result.self)) })
        return (P.method, kind)
    }

    private static let kinds: [Method: Kind] = Dictionary(uniqueKeysWithValues: [
        kind(SignParameters.self), kind(ListKeysParameters.self), kind(RotateParameters.self),
        kind(RevokeKeyParameters.self), kind(IssuerStatusParameters.self), kind(IssuerCreateParameters.self),
        kind(IssuerUpdateParameters.self), kind(IssuerDeleteParameters.self), kind(IssuerListParameters.self),
        kind(GetDiscoveryParameters.self), kind(WatchParameters.self), kind(AcknowledgeParameters.self),
        kind(HealthParameters.self), kind(VersionParameters.self), kind(MetricsParameters.self), kind(ReconcileParameters.self),
        kind(StoreSaveParameters.self),
        kind(ReloadParameters.self),
    ])
}
