import Foundation
import Testing

@testable import StrictJSON

@Suite("JSON values")
struct JSONValueTests {
    private let sample: JSONValue = [
        "b": [1, -2, nil, true, "é\"\\\n\u{1}"], "a": ["nested": [:], "empty": []], "n": .number("1.50"),
    ]

    @Test("compact text keeps the order of members and the text of numbers")
    func compact() throws {
        let text = #"{"b":[1,-2,null,true,"é\"\\\n\u0001"],"a":{"nested":{},"empty":[]},"n":1.50}"#
        #expect(String(decoding: sample.encoded(), as: UTF8.self) == text)
        #expect(try JSONValue(parsing: Array(text.utf8)) == sample)
    }

    @Test("text for people has a line for each member, two spaces deeper each level")
    func pretty() {
        #expect(
            sample.prettyPrinted() == """
                {
                  "b": [
                    1,
                    -2,
                    null,
                    true,
                    "é\\"\\\\\\n\\u0001"
                  ],
                  "a": {
                    "nested": {},
                    "empty": []
                  },
                  "n": 1.50
                }
                """)
    }

    @Test("members and elements are found by name and index")
    func subscripts() {
        #expect(sample["b"]?[1] == -2)
        #expect(sample["a"]?["empty"]?.elements == [])
        #expect(sample["b"]?[4]?.string == "é\"\\\n\u{1}")
        #expect(sample["b"]?[3]?.bool == true)
        #expect(sample["b"]?[0]?.integer == 1)
        #expect(sample["b"]?[2]?.isNull == true)
        #expect(sample["x"] == nil)
        #expect(sample["b"]?[5] == nil)
        #expect(sample["b"]?[-1] == nil)
        #expect(sample[0] == nil)
        #expect(sample["b"]?["x"] == nil)
    }

    @Test("a number that is none is written as null, so that a line stays JSON", arguments: ["", "NaN", "1,2", "01", "1 "])
    func brokenNumber(_ text: String) {
        #expect(JSONValue.array([.number(text)]).encoded() == Array("[null]".utf8))
    }

    @Test("Foundation's coders read and write it as far as they can")
    func foundation() throws {
        let value: JSONValue = ["a": [1, nil, true, "x", .number("1.5")], "b": [:]]
        let data = try JSONEncoder().encode(value)
        // Members come back sorted by name, as they are here.
        #expect(try JSONDecoder().decode(JSONValue.self, from: data) == value)
    }

    struct Everything: Codable, Equatable {
        struct Inner: Codable, Equatable {
            var values: [Int?]
            var names: [String: Bool]
        }

        enum Kind: String, Codable { case small, large }

        /// A type that is a string in JSON.
        struct Moment: Codable, Equatable {
            let text: String

            init(text: String) {
                self.text = text
            }

            init(from decoder: any Decoder) throws {
                text = try decoder.singleValueContainer().decode(String.self)
            }

            func encode(to encoder: any Encoder) throws {
                var container = encoder.singleValueContainer()
                try container.encode(text)
            }
        }

        var zeta = "first"
        var text: String?
        var time: Moment
        var small: UInt8
        var large: UInt64
        var negative: Int32
        var double: Double
        var float: Float
        var kind: Kind
        var inner: Inner
        var free: JSONValue
        var nested: [[Inner]]
    }

    @Test("any Codable type passes through, its members in the order of its declaration")
    func codable() throws {
        let inner = Everything.Inner(values: [1, nil, -3], names: ["a": true])
        let everything = Everything(
            text: nil, time: Everything.Moment(text: "1970-01-01T00:00:00Z"), small: 255, large: .max, negative: .min,
            double: 0.1, float: 1.5,
            kind: .large, inner: inner, free: ["z": .number("1.0"), "a": 1], nested: [[], [inner]])
        let value = try JSONValue(encoding: everything)
        #expect(
            String(decoding: value.encoded(), as: UTF8.self)
                == #"{"zeta":"first","time":"1970-01-01T00:00:00Z","small":255,"large":18446744073709551615,"negative":-2147483648,"double":0.1,"float":1.5,"kind":"large","inner":{"values":[1,null,-3],"names":{"a":true}},"free":{"z":1.0,"a":1},"nested":[[],[{"values":[1,null,-3],"names":{"a":true}}]]}"#
        )
        #expect(try value.decode(Everything.self) == everything)
        #expect(try JSONDecoder().decode(Everything.Inner.self, from: Data(JSONValue(encoding: inner).encoded())) == inner)
    }

    @Test("a top-level scalar is JSON too")
    func scalars() throws {
        #expect(try JSONValue(encoding: "a") == "a")
        #expect(try JSONValue(encoding: Int?.none) == nil)
        #expect(try JSONValue.integer(7).decode(Int.self) == 7)
        #expect(try JSONValue.null.decode(Int?.self) == nil)
        #expect(throws: EncodingError.self) { try JSONValue(encoding: [Double.nan]) }
    }

    @Test(
        "a value of another type is refused with what was expected",
        arguments: [
            (["small": 256], "an integer"), (["small": -1], "an integer"), (["small": "1"], "an integer"),
            (["small": true], "an integer"), (["small": .number("1.5")], "an integer"),
        ] as [(JSONValue, String)])
    func mismatches(_ value: JSONValue, _ expected: String) {
        struct Small: Decodable { let small: UInt8 }
        let error = #expect(throws: DecodingError.self) { try value.decode(Small.self) }
        guard case .typeMismatch(_, let context) = error else {
            Issue.record("not a mismatch")
            return
        }
        #expect(context.debugDescription == expected)
        #expect(context.codingPath.map(\.stringValue) == ["small"])
    }
}
