import EventDecoding
import Testing

@Suite("Structured events that are bad")
struct BadEventTests {
    let harness = Harness()

    @Test(arguments: [
        "", " ", "null", "[]", "[{}]", "5", #""x""#, "true", "{", "}", "{}{}", "{]", "[}",
        "\u{FEFF}" + event(), event() + "x", event() + "{}", event() + ",", "," + event(),
        event(#""a":NaN"#), event(#""a":Infinity"#), event(#""a":-Infinity"#), event(#""a":nan"#),
        event(#""a":01"#), event(#""a":-01"#), event(#""a":1."#), event(#""a":.5"#),
        event(#""a":+1"#), event(#""a":1e"#), event(#""a":1e+"#), event(#""a":-"#),
        event(#""a":0x10"#), event(#""a":1_000"#), event(#""a":1 2"#), event(#""a":1"b""#),
        event(#""a":"b""c""#), event(#""a":"b"c"#), event(#""a":tru"#), event(#""a":truee"#),
        event(#""a":True"#), event(#""a":nul"#), event(#""a":undefined"#), event(#""a":'b'"#),
        event(#""a":"#), event(#""a""#), event(#""a":1,"#), event(#""a"::1"#), event(#""a":,"#),
        event(#"a:1"#), event(#"1:1"#), event(#"null:1"#), event(#""a":[1,]"#),
        event(#""a":[,1]"#), event(#""a":[1 2]"#), event(#""a":[1}"#), event(#""a":{"b":1]"#),
        event(#""a":{"b"}"#), event(#""a":{"b":1,}"#), event(#""a":{,}"#), event(#""a":[1:2]"#),
        event(#""a":"\x""#), event(#""a":"\u12""#), event(#""a":"\u12G4""#), event(#""a":"\'""#),
        event(#""a":"\ud83d""#), event(#""a":"\ude00""#), event(#""a":"\ud83dx""#),
        event(#""a":"\ud83d\u0041""#), event(#""a":"\ud83d\ud83d""#), event(#""\q":1"#),
        event("\"a\":\"b\nc\""), event("\"a\":\"b\u{1}c\""), event("\"a\":\"b\u{0}c\""),
        event("\"a\":1\u{C}"), event("\"a\"\u{1A}1"), event("\"a\":1\u{B}"), event("\"a\":\u{A0}1"),
        event(#""a":/* c */1"#), event("\"a\":1 // c\n"), event(#""a":"b"#), event(#""a":\"b""#),
        event(#""a":1\"b""#), event(#""a":é"#),
    ])
    func malformed(_ json: String) {
        #expect(harness.structured(json).failure == .malformed)
        if json != "null", json != "[]", json != "[{}]", json != "5", json != #""x""#,
            json != "true"
        {
            #expect(!harness.isValid(Array(json.utf8)))
        }
    }

    @Test func everyTruncationIsMalformed() {
        let samples = [
            sample, event(#""a":"\u00e9\ud83d\ude00","b":[1,2,{"c":null}],"d":"é😀""#),
        ]
        for bytes in samples.map({ Array($0.utf8) }) {
            for length in 0..<bytes.count {
                let failure = harness.structured(Array(bytes[..<length])).failure
                if failure != .malformed {
                    Issue.record("\(length): \(String(describing: failure))")
                }
            }
        }
    }

    @Test(
        arguments: [
            [0x80], [0xFF], [0xC0, 0x80], [0xC1, 0xBF], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80],
            [0xF0, 0x80, 0x80, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80],
            [0xE2, 0x82],
            [0xC3], [0xF0, 0x9F, 0x98],
        ] as [[UInt8]])
    func invalidUTF8(_ bad: [UInt8]) {
        for position in ["id", "ext", "data"] {
            let json = Array(
                #"{"specversion":"1.0","source":"s","type":"t","\#(position)":"x"#.utf8)
            #expect(
                harness.structured(json + bad + Array("y\"}".utf8)).failure == .invalidUTF8)
            #expect(!harness.isValid(json + bad + Array("y\"}".utf8)))
        }
    }

    @Test(arguments: [17, 18, 64, 65, 1000, 100_000])
    func tooDeep(_ depth: Int) {
        // One level is the event itself.
        let arrays =
            String(repeating: "[", count: depth - 1) + String(repeating: "]", count: depth - 1)
        #expect(harness.structured(event(#""a":\#(arrays)"#)).failure == .tooDeep)
        let objects =
            String(repeating: #"{"b":"#, count: depth - 1) + "1"
            + String(repeating: "}", count: depth - 1)
        #expect(harness.structured(event(#""data":\#(objects)"#)).failure == .tooDeep)
    }

    @Test func tooLarge() throws {
        let text = String(repeating: "x", count: 2 << 20)
        #expect(harness.structured(event(#""a":"\#(text)""#)).failure == .tooLarge)
        let small = Harness(maximumBytes: sample.utf8.count)
        _ = try small.structured(sample).get()
        #expect(small.structured(sample + " ").failure == .tooLarge)
    }

    @Test(arguments: [Attribute.id, .source, .specversion, .type])
    func missing(_ attribute: Attribute) {
        let members: [(Attribute, String)] = [
            (.specversion, "1.0"), (.id, "e-1"), (.source, "s"), (.type, "t"),
        ]
        let rest = members.filter { $0.0 != attribute }.map { #""\#($0.0.name)":"\#($0.1)""# }
        for more in [[], [#""\#(attribute.name)":null"#], [#""\#(attribute.name)":"""#]] {
            let failure = harness.structured("{" + (rest + more).joined(separator: ",") + "}")
                .failure
            #expect(failure == .missing(attribute))
            #expect(failure?.code == "missing_\(attribute.name)")
        }
        for wrong in ["1", "true", "{}", "[]", "1.0"] {
            let json =
                "{" + (rest + [#""\#(attribute.name)":\#(wrong)"#]).joined(separator: ",") + "}"
            #expect(harness.structured(json).failure == .wrongType(attribute))
        }
    }

    @Test(arguments: [
        (#""subject":5"#, DecodeFailure.wrongType(.subject)), (#""time":{}"#, .wrongType(.time)),
        (#""datacontenttype":[]"#, .wrongType(.datacontenttype)),
        (#""tollgatebackfill":1"#, .wrongType(.backfill)),
        (#""tollgatebackfill":"yes""#, .wrongType(.backfill)),
        (#""subject":true"#, .wrongType(.subject)), (#""id":"e-1""#, .duplicateMember),
        (#""id":null"#, .duplicateMember), (#""data":1,"data":1"#, .duplicateMember),
        (#""data":{"model":1,"model":1}"#, .duplicateMember),
        (#""data":{"usage":{"total":1},"usage":{}}"#, .duplicateMember),
        (#""data":{"model":1,"mode\u006c":1}"#, .duplicateMember),
        (#""data":{},"data_base64":"AA==""#, .conflictingData),
        (#""data_base64":"","data_base64":"""#, .duplicateMember),
    ])
    func rules(_ member: String, _ expected: DecodeFailure) {
        #expect(harness.structured(event(member)).failure == expected)
        // A text that is not JSON is reported as such, whatever else is wrong with it.
        #expect(harness.structured(event(member + #","z":01"#)).failure == .malformed)
    }

    @Test func membersThatNobodyReadsMayRepeat() throws {
        _ = try harness.structured(event(#""x":1,"x":2,"data":{"y":1,"y":2}"#)).get()
    }

    @Test(arguments: ["0.3", "1", "1.0 ", "2.0", "1.0.0"])
    func unsupportedVersion(_ version: String) {
        let json = #"{"specversion":"\#(version)","id":"e","source":"s","type":"t"}"#
        #expect(harness.structured(json).failure == .unsupportedVersion)
    }

    @Test func codesAreStable() {
        let codes: [(DecodeFailure, String)] = [
            (.malformed, "malformed"), (.tooDeep, "too_deep"), (.tooLarge, "too_large"),
            (.invalidUTF8, "invalid_utf8"), (.missing(.id), "missing_id"),
            (.missing(.specversion), "missing_specversion"), (.wrongType(.time), "wrong_type"),
            (.unsupportedVersion, "unsupported_specversion"),
            (.duplicateMember, "duplicate_member"), (.conflictingData, "conflicting_data"),
            (.malformedBatch, "malformed_batch"), (.tooManyEvents, "too_many_events"),
            (.outOfMemory, "out_of_memory"),
        ]
        for (failure, code) in codes {
            #expect(failure.code == code)
            #expect(!failure.detail.isEmpty)
        }
    }
}
