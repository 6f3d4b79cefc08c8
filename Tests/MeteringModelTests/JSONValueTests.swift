import MeteringModel
import Testing

@Suite("JSON documents") struct JSONValueTests {
    @Test(
        arguments: [
            ("null", "null"), (" [1 , 2.50,-0e+1]\n", "[1,2.50,-0e+1]"),
            (#"{"b":1,"a":{"d":[],"c":{}}}"#, #"{"a":{"c":{},"d":[]},"b":1}"#),
            (#""\u00e9\ud83d\ude00\/\b""#, "\"é😀/\\b\""),
            (#""\u0001""#, #""\u0001""#), ("123456789012345678901234567890", nil),
        ] as [(String, String?)])
    func canonicalForms(text: String, canonical: String?) throws {
        let value = try JSONParser.parse(text)
        #expect(value.canonicalText == canonical ?? text)
        #expect(try JSONParser.parse(value.canonicalBytes) == value)
    }

    @Test(
        arguments: [
            "", "{", "[1,]", "{\"a\":1,}", "{\"a\" 1}", "{a:1}", "01", "1.", "+1", ".5", "1e",
            "nul",
            "truex", "\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"a", "\"\n\"",
            "[1] 2", "{\"a\":1,\"a\":2}", "NaN", "'a'", "[1 2]", "\u{FEFF}1",
        ])
    func refusals(text: String) {
        #expect(throws: JSONSyntaxError.self) { try JSONParser.parse(text) }
    }

    @Test func bytesThatAreNoText() {
        for bytes in [
            [0x22, 0xFF, 0x22], [0x22, 0xC0, 0x80, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22],
        ] {
            #expect(throws: JSONSyntaxError.self) {
                try JSONParser.parse(bytes.map { UInt8($0) })
            }
        }
    }

    @Test func nestingIsBounded() throws {
        let deepest = JSONParser.nestingDepthMax
        let allowed =
            String(repeating: "[", count: deepest) + String(repeating: "]", count: deepest)
        #expect(try JSONParser.parse(allowed).canonicalText == allowed)
        let deeper = String(repeating: "[", count: 100_000)
        #expect(throws: JSONSyntaxError.self) { try JSONParser.parse(deeper) }
    }

    @Test func errorsNameTheByte() {
        let error = #expect(throws: JSONSyntaxError.self) { try JSONParser.parse("[1, x]") }
        #expect(error?.offset == 4)
    }

    /// The examples of RFC 7396, appendix A.
    @Test(
        arguments: [
            (#"{"a":"b"}"#, #"{"a":"c"}"#, #"{"a":"c"}"#),
            (#"{"a":"b"}"#, #"{"b":"c"}"#, #"{"a":"b","b":"c"}"#),
            (#"{"a":"b"}"#, #"{"a":null}"#, "{}"),
            (#"{"a":"b","b":"c"}"#, #"{"a":null}"#, #"{"b":"c"}"#),
            (#"{"a":["b"]}"#, #"{"a":"c"}"#, #"{"a":"c"}"#),
            (#"{"a":"c"}"#, #"{"a":["b"]}"#, #"{"a":["b"]}"#),
            (#"{"a":{"b":"c"}}"#, #"{"a":{"b":"d","c":null}}"#, #"{"a":{"b":"d"}}"#),
            (#"{"a":[{"b":"c"}]}"#, #"{"a":[1]}"#, #"{"a":[1]}"#),
            (#"["a","b"]"#, #"["c","d"]"#, #"["c","d"]"#), (#"{"a":"b"}"#, #"["c"]"#, #"["c"]"#),
            (#"{"a":"foo"}"#, "null", "null"), (#"{"e":null}"#, #"{"a":1}"#, #"{"a":1,"e":null}"#),
            ("[1,2]", #"{"a":"b","c":null}"#, #"{"a":"b"}"#),
            ("{}", #"{"a":{"bb":{"ccc":null}}}"#, #"{"a":{"bb":{}}}"#),
        ])
    func mergePatches(original: String, patch: String, result: String) throws {
        let merged = try JSONParser.parse(original).merging(try JSONParser.parse(patch))
        #expect(merged.canonicalText == result)
    }
}

@Suite("Histories of records") struct RecordHistoryTests {
    private func change(
        _ sequence: Int64, at seconds: Int64, _ patch: JSONValue, undoes: Int64? = nil
    ) -> ControlChange {
        ControlChange(
            sequence: sequence, at: Timestamp(seconds: 0), actor: "a", source: "test",
            effectiveAt: Timestamp(seconds: seconds), requestID: "r",
            action: undoes == nil ? .update : .undo, kind: .subscription, id: "s",
            patch: patch, undoes: undoes)
    }

    private let made: JSONValue = .object(["plan": .string("basic"), "seats": .integer(5)])

    @Test func changesFoldInTheOrderOfTheirInstants() {
        var history = RecordHistory(kind: .subscription, id: "s", customer: "acme")
        history.apply(change(1, at: 0, made))
        history.apply(change(2, at: 300, .object(["plan": .string("scale")])))
        history.apply(change(3, at: 100, .object(["plan": .string("pro")])))
        history.apply(change(4, at: 200, .object(["seats": .null])))
        func plan(_ seconds: Int64) -> String? {
            history.document(at: Timestamp(seconds: seconds))?["plan"]?.text
        }
        #expect(history.document(at: Timestamp(seconds: -1)) == nil)
        #expect(
            [plan(0), plan(99), plan(100), plan(299), plan(300)]
                == ["basic", "basic", "pro", "pro", "scale"])
        #expect(history.document(at: Timestamp(seconds: 250))?["seats"] == nil)
        #expect(history.revision == 4)
    }

    @Test func undoingTakesOneChangeOutAndNoOther() {
        var history = RecordHistory(kind: .subscription, id: "s", customer: "acme")
        history.apply(change(1, at: 0, made))
        history.apply(change(2, at: 100, .object(["plan": .string("pro")])))
        history.apply(change(3, at: 200, .object(["seats": .integer(9)])))
        history.apply(change(4, at: 100, .null, undoes: 2))
        #expect(history.latest == .object(["plan": .string("basic"), "seats": .integer(9)]))
        #expect(history.revision == 4)
        history.apply(change(5, at: 300, .null))
        #expect(history.latest == nil)
        #expect(history.document(at: Timestamp(seconds: 250))?["seats"]?.integer == 9)
    }
}
