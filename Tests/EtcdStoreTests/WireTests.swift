import Foundation
import TestSupport
import Testing

@testable import EtcdStore

@Suite("What the gateway's JSON means")
struct WireTests {
    private func decode<Value: Decodable>(_ text: String, _: Value.Type = Value.self) throws -> Value {
        try JSONDecoder().decode(Value.self, from: Data(text.utf8))
    }

    @Test("what is absent is zero, false or empty")
    func absent() throws {
        let range: WireAnswer.Range = try decode(#"{"header":{"cluster_id":"14841639068965178418","revision":"7"}}"#)
        #expect(range.header.cluster == 14_841_639_068_965_178_418 && range.header.revision == 7 && range.header.member == 0)
        #expect(range.page.values.isEmpty && !range.page.hasMore && range.page.count == 0)
        let lost: WireAnswer.Transaction = try decode(#"{"header":{"revision":"7"}}"#)
        #expect(!lost.succeeded && lost.found.isEmpty)
        let gone: WireAnswer.KeepAlive = try decode(#"{"result":{"header":{},"ID":"5"}}"#)
        #expect(gone.lease?.ttl == 0)
        let empty: WireAnswer.Status = try decode("{}")
        #expect(empty.header.cluster == 0 && empty.leader == 0)
    }

    @Test("an integer may be a string or a number, and what is not asked for is passed over")
    func lenient() throws {
        let text = #"{"kvs":[{"key":"Zm9v","mod_revision":3,"create_revision":"2","lease":null,"new":[1]}],"more":true,"x":{}}"#
        let range: WireAnswer.Range = try decode(text)
        #expect(range.page.values.map(\.name) == ["foo"] && range.page.hasMore)
        #expect(range.page.values.map(\.modified) == [3] && range.page.values.map(\.created) == [2])
        #expect(range.page.values.map(\.lease) == [0] && range.page.values[0].value.isEmpty)
    }

    @Test(
        "what cannot be is refused",
        arguments: [
            #"{"kvs":[{"key":"Zm9"}]}"#, #"{"kvs":[{"mod_revision":"x"}]}"#, #"{"kvs":{}}"#, #"{"header":{"cluster_id":-1}}"#,
            "[]",
            "",
        ])
    func malformed(text: String) {
        #expect(throws: (any Error).self) { try decode(text, WireAnswer.Range.self) }
    }

    @Test(
        "a fault has its code wherever the release puts it",
        arguments: [
            #"{"error":"gone","code":11}"#, #"{"error":"gone","message":"gone","code":11}"#,
            #"{"code":11,"message":"gone","details":[]}"#, #"{"error":{"grpc_code":11,"http_code":400,"message":"gone"}}"#,
            #"{"error":{"code":11,"message":"gone","details":[]}}"#, #"{"code":"11","message":"gone"}"#,
        ])
    func fault(text: String) throws {
        let fault = try #require(WireAnswer.Fault(Array(text.utf8)))
        #expect(fault.code == 11 && fault.text == "gone")
    }

    @Test("what has no code is no fault", arguments: ["404 page not found", "{}", #"{"error":"x"}"#, "", #"{"header":{}}"#])
    func noFault(text: String) {
        #expect(WireAnswer.Fault(Array(text.utf8)) == nil)
    }

    @Test("a prefix ends before the first key that does not begin so")
    func prefix() {
        #expect(EtcdKeyRange.prefix("/a/").end == Array("/a0".utf8))
        #expect(EtcdKeyRange.after(prefix: [1, 0xFF, 0xFF]) == [2])
        #expect(EtcdKeyRange.after(prefix: [0xFF]) == [0])
    }

    @Test(
        "an endpoint is a URL of host and port",
        arguments: [
            ("https://h", "https://h:2379"), ("HTTP://h:1/", "http://h:1"), ("http://[::1]:5", "http://[::1]:5"),
            ("h:2379", nil), ("https://h/x", nil), ("https://u:p@h", nil), ("ftp://h", nil), ("https://h?x", nil), ("", nil),
        ] as [(String, String?)])
    func endpoint(text: String, url: String?) {
        #expect(EtcdEndpoint(text)?.url == url)
    }

    @Test(
        "releases that are maintained need no remark",
        arguments: [
            ("3.4.23", false), ("3.5.17", false), ("3.5.18", true), ("3.5.21", true), ("3.6.4", false), ("3.6.5", true),
            ("3.7.0-rc.1", true), ("4.0.0", true),
        ])
    func versions(text: String, isMaintained: Bool) {
        #expect(EtcdVersion(text).isMaintained == isMaintained)
    }

    @Test("lines come out whole however they were split, and never beyond the limit")
    func framer() throws {
        let lines = ["a", String(repeating: "b", count: 100), #"{"c":"ä"}"#, "d"]
        let bytes = Array((lines.joined(separator: "\n") + "\r\n\n").utf8)
        var generator = SeededGenerator(seed: 14)
        for _ in 0..<500 {
            var framer = WatchFramer(limit: 100)
            var (found, start): ([[UInt8]], Int) = ([], 0)
            while start < bytes.count {
                let end = Int.random(in: start...bytes.count, using: &generator)
                found += try framer.feed(bytes[start..<end])
                start = end
            }
            #expect(found.map { String(decoding: $0, as: UTF8.self) } == lines)
        }
        var framer = WatchFramer(limit: 99)
        #expect(throws: WatchFramer.TooLong.self) { try framer.feed(bytes) }
        var endless = WatchFramer(limit: 10)
        #expect(throws: WatchFramer.TooLong.self) { for _ in 0..<11 { _ = try endless.feed([0x61]) } }
    }
}
