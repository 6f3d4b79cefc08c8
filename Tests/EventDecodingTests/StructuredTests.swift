import EventDecoding
import Testing

@Suite("Structured events that are good")
struct StructuredTests {
    let harness = Harness()

    @Test func sampleReadsWhole() throws {
        let found = try harness.structured(sample).get()
        #expect(
            found.attributes == [
                .id: "0190a5c4-7b1e-7cc2-9a51-3f2b7c9d1e10", .source: "/api",
                .specversion: "1.0", .type: "llm.request", .subject: "key_123",
                .time: "2026-11-21T10:15:02.120Z",
            ])
        #expect(
            found.values == [
                .init(.number, "4818"), .init(.string, "m1"), .init(.missing), .init(.missing),
                .init(.composite),
            ])
    }

    @Test func everyOrderOfMembersReadsTheSame() throws {
        let members = [
            #""specversion":"1.0""#, #""id":"e-1""#, #""source":"/api""#, #""type":"t""#,
            #""data":{"usage":{"x":[1,{"y":2}],"total":7},"model":"m"}"#, #""extra":[{"id":"no"}]"#,
        ]
        let expected = try harness.structured("{" + members.joined(separator: ",") + "}").get()
        #expect(expected.values[2] == .init(.number, "7"))
        var count = 0
        permute(members) { order in
            count += 1
            let found = harness.structured("{" + order.joined(separator: ",") + "}")
            if found != .success(expected) { Issue.record("order \(order): \(found)") }
        }
        #expect(count == 720)
    }

    private func permute(_ items: [String], _ done: [String] = [], _ body: ([String]) -> Void) {
        if items.isEmpty { return body(done) }
        for index in items.indices {
            var rest = items
            let item = rest.remove(at: index)
            permute(rest, done + [item], body)
        }
    }

    @Test(arguments: [" ", "\n", "\t", "\r\n", "  \n\t ", String(repeating: " ", count: 200)])
    func whiteSpaceIsAllowedBetweenTokens(_ space: String) throws {
        let tokens = [
            "{", #""specversion""#, ":", #""1.0""#, ",", #""id""#, ":", #""a b ""#, ",",
            #""source""#, ":", #""s""#, ",", #""type""#, ":", #""t""#, ",", #""data""#, ":", "{",
            #""total_tokens""#, ":", "-1.50e+3", ",", #""model""#, ":", "true", ",", #""x""#, ":",
            "[", "]", ",", #""y""#, ":", "{", "}", "}", "}",
        ]
        let json = space + tokens.joined(separator: space) + space
        let found = try harness.structured(json).get()
        #expect(found.attributes[.id] == "a b ")
        #expect(found.values[0] == .init(.number, "-1.50e+3"))
        #expect(found.values[1] == .init(.boolean, "true"))
    }

    @Test(arguments: [
        (#"\u0041\u00e9\u20ac"#, "A\u{E9}\u{20AC}"), (#"\ud83d\ude00!"#, "\u{1F600}!"),
        (#"\uD83D\uDE00"#, "\u{1F600}"), (#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{C}\n\r\t"),
        (#"a\\"#, "a\\"), (#"\\\""#, "\\\""), ("plain é 😀", "plain é 😀"), (#"\u0000"#, "\0"),
        (#"\uffff\ud7ff\ue000"#, "\u{FFFF}\u{D7FF}\u{E000}"),
    ])
    func escapesAreResolved(_ written: String, _ meant: String) throws {
        let found = try harness.structured(
            event(
                #""subject":"\#(written)","a":"\#(written)","data":{"model":"\#(written)","#
                    + #""\#(written)":1,"total_tokens":3}"#)
        ).get()
        #expect(found.attributes[.subject] == meant)
        #expect(found.values[1] == .init(.string, meant))
        #expect(found.values[0] == .init(.number, "3"))
        #expect(found.attributes[.id] == "e-1")
    }

    @Test func escapedNamesAreTheNamesTheyMean() throws {
        let json =
            #"{"\u0073pecversion":"1.0","i\u0064":"e-1","source":"s","type":"t","#
            + #""d\u0061ta":{"mo\u0064el":"x"}}"#
        let found = try harness.structured(json).get()
        #expect(found.attributes[.id] == "e-1")
        #expect(found.values[1] == .init(.string, "x"))
        #expect(
            harness.structured(event(#""i\u0064":"e-2""#)).failure == .duplicateMember)
    }

    @Test(arguments: [
        ("true", "true"), (#""true""#, "true"), ("false", nil), (#""false""#, nil), ("null", nil),
        (#""""#, nil),
    ])
    func backfillMark(_ written: String, _ expected: String?) throws {
        let found = try harness.structured(event(#""tollgatebackfill":\#(written)"#)).get()
        #expect(found.attributes[.backfill] == expected)
    }

    @Test(arguments: ["subject", "time", "datacontenttype"])
    func optionalAttributesMayBeNullOrEmpty(_ name: String) throws {
        for written in ["null", #""""#] {
            let found = try harness.structured(event(#""\#(name)":\#(written)"#)).get()
            #expect(found.attributes.count == 4)
        }
    }

    @Test(arguments: [
        ("", Kind.missing), (#""data":null"#, .null), (#""data":5"#, .number),
        (#""data":"x""#, .string), (#""data":[{"model":"m"}]"#, .composite),
        (#""data":false"#, .boolean), (#""data_base64":"AAEC""#, .missing),
        (#""data":null,"data_base64":"AAEC""#, .null), (#""data":{}"#, .composite),
    ])
    func dataThatIsNoObjectLeavesSlotsMissing(_ member: String, _ data: Kind) throws {
        let found = try harness.structured(event(member)).get()
        #expect(found.values.dropLast().allSatisfy { $0 == .init(.missing) })
        #expect(found.values.last?.kind == data)
    }

    @Test(arguments: [
        ("null", Kind.null, ""), ("true", .boolean, "true"), ("false", .boolean, "false"),
        ("0", .number, "0"), ("-0", .number, "-0"), ("-0.0e-0", .number, "-0.0e-0"),
        ("1E400", .number, "1E400"),
        ("12345678901234567890123", .number, "12345678901234567890123"),
        (#""""#, .string, ""), ("{}", .composite, ""), ("[1]", .composite, ""),
    ])
    func values(_ written: String, _ kind: Kind, _ text: String) throws {
        for space in ["", "  "] {
            let found = try harness.structured(
                event(#""data":{"total_tokens":\#(space)\#(written)\#(space)}"#)
            ).get()
            #expect(found.values[0] == .init(kind, text))
        }
    }

    @Test func pathsMayShareEndsAndPrefixes() throws {
        let wide = Harness([
            ["a", "b", "c"], ["a", "b"], ["a"], ["a", "b", "d"], ["a", "b", "c"], [""], ["x", "b"],
            ["a", "b", "c", "d", "e", "f", "g", "h"],
        ])
        let found = try wide.structured(
            event(#""data":{"":"e","b":9,"a":{"c":8,"b":{"d":"D","c":"C"}},"x":{"b":null}}"#)
        ).get()
        #expect(
            found.values == [
                .init(.string, "C"), .init(.composite), .init(.composite), .init(.string, "D"),
                .init(.string, "C"), .init(.string, "e"), .init(.null), .init(.missing),
            ])
        let deep = try wide.structured(
            event(#""data":{"a":{"b":{"c":{"d":{"e":{"f":{"g":{"h":1}}}}}}}}"#)
        ).get()
        #expect(deep.values[7] == .init(.number, "1"))
        #expect(deep.values[0] == .init(.composite))
    }

    @Test func fullPlanOfEqualLengthNames() throws {
        let names = (0..<DecodePlan.slotCountMax).map { "m\(1000 + $0)" }
        let wide = Harness(names.map { [$0] })
        let data = names.enumerated().map { #""\#($1)":\#($0)"# }.joined(separator: ",")
        let found = try wide.structured(event(#""data":{\#(data)}"#)).get()
        #expect(found.values == names.indices.map { .init(.number, "\($0)") })
        #expect(!DecodePlan.accepts(names.map { [$0] } + [["x"]]))
        #expect(!DecodePlan.accepts([Array(repeating: "a", count: 9)]))
    }

    @Test func aDecoderForgetsTheEventBefore() throws {
        _ = try harness.structured(sample).get()
        let found = try harness.structured(event()).get()
        #expect(found.attributes[.subject] == nil)
        #expect(found.values.allSatisfy { $0 == .init(.missing) })
        #expect(harness.structured("{").failure == .malformed)
        #expect(try harness.structured(sample).get().values[0] == .init(.number, "4818"))
    }

    @Test func longEventsGrowTheBuffersOnce() throws {
        let long = String(repeating: #"\n0123456789"#, count: 60_000)
        let json = event(#""data":{"model":"\#(long)","total_tokens":1}"#)
        for _ in 0..<3 {
            let found = try harness.structured(json).get()
            #expect(found.values[1].text.utf8.count == 660_000)
            #expect(found.values[0] == .init(.number, "1"))
        }
    }

    @Test func depthIsAllowedUpToTheLimit() throws {
        // The event's braces, `data`'s braces and 14 brackets.
        let nested = String(repeating: "[", count: 14) + String(repeating: "]", count: 14)
        _ = try harness.structured(event(#""data":{"a":\#(nested)}"#)).get()
    }
}
