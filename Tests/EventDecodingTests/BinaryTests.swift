import EventDecoding
import Testing

@Suite("Binary events")
struct BinaryTests {
    let harness = Harness()
    let required = [
        ("ce_specversion", "1.0"), ("ce_id", "e-1"), ("ce_source", "/api"), ("ce_type", "t"),
    ]
    let data = Array(#"{"total_tokens":12,"model":"m\u0031"}"#.utf8)

    @Test func everythingReads() throws {
        let headers = flatHeaders(
            [
                ("trace", "x"), ("content-type", "application/json; charset=utf-8"),
                ("ce_subject", "é"), ("ce_time", "2026-11-21T10:15:02Z"),
                ("ce_tollgatebackfill", "true"), ("ce_partitionkey", "k"),
            ] + required)
        let found = try harness.binary(headers, data).get()
        #expect(
            found.attributes == [
                .id: "e-1", .source: "/api", .type: "t", .specversion: "1.0", .subject: "é",
                .time: "2026-11-21T10:15:02Z", .backfill: "true",
                .datacontenttype: "application/json; charset=utf-8",
            ])
        #expect(found.values[0] == .init(.number, "12"))
        #expect(found.values[1] == .init(.string, "m1"))
    }

    @Test func nullAndEmptyPayloadsAreEventsWithoutData() throws {
        let headers = flatHeaders(required)
        for isNull in [true, false] {
            let found = try harness.binary(headers, [], isNull: isNull).get()
            #expect(found.attributes[.id] == "e-1")
            #expect(found.values.allSatisfy { $0 == .init(.missing) })
        }
    }

    @Test(arguments: [
        ("application/json", true), ("Application/JSON", true), ("application/vnd.x+json", true),
        ("text/json ; a=b", true), ("", true), ("text/plain", false), ("application/jsonx", false),
        ("json", false), ("application/octet-stream", false),
    ])
    func onlyJSONPayloadsAreRead(_ type: String, _ isRead: Bool) throws {
        let headers = flatHeaders(required + [("Content-Type", type)])
        let found = try harness.binary(headers, data).get()
        #expect((found.values[0].kind == .number) == isRead)
        let broken = harness.binary(headers, Array("{".utf8)).failure
        #expect(broken == (isRead ? .malformed : nil))
    }

    @Test func payloadsThatAreNoObjects() throws {
        for (payload, kind) in [("5", Kind.number), ("[1]", .composite), (#" "x" "#, .string)] {
            let found = try harness.binary(flatHeaders(required), Array(payload.utf8)).get()
            #expect(found.values[4].kind == kind)
            #expect(found.values[0] == .init(.missing))
        }
        for payload in ["5 5", "[1", "nul", " ", #"{"model":1,}"#] {
            let failure = harness.binary(flatHeaders(required), Array(payload.utf8)).failure
            #expect(failure == .malformed)
        }
    }

    @Test func requiredHeaders() {
        for (index, attribute) in [Attribute.specversion, .id, .source, .type].enumerated() {
            var headers = required
            headers.remove(at: index)
            #expect(harness.binary(flatHeaders(headers), data).failure == .missing(attribute))
            headers.append((required[index].0, ""))
            #expect(harness.binary(flatHeaders(headers), data).failure == .missing(attribute))
        }
        let nulled = flatHeaders(required.map { ($0.0, $0.0 == "ce_id" ? nil : Array($0.1.utf8)) })
        #expect(harness.binary(nulled, data).failure == .missing(.id))
        #expect(harness.binary([], data).failure == .missing(.specversion))
        var old = required
        old[0].1 = "0.3"
        #expect(harness.binary(flatHeaders(old), data).failure == .unsupportedVersion)
    }

    @Test func headersThatBreakRules() {
        let good = flatHeaders(required)
        for name in ["ce_subject", "ce_other"] {
            let bad = good + flatHeaders([(name, [0x61, 0xFF])])
            #expect(harness.binary(bad, data).failure == .invalidUTF8)
        }
        let opaque = good + flatHeaders([("trace", [0xFF])])
        #expect(harness.binary(opaque, data).failure == nil)
        let twice = good + flatHeaders([("ce_id", "e-2")])
        #expect(harness.binary(twice, data).failure == .duplicateMember)
        let mark = good + flatHeaders([("ce_tollgatebackfill", "maybe")])
        #expect(harness.binary(mark, data).failure == .wrongType(.backfill))
        let payload = Array(#"{"model":"\#u{FF}"#.utf8.dropLast(2)) + [0xFF, 0x22, 0x7D]
        #expect(harness.binary(good, payload).failure == .invalidUTF8)
        let long = [UInt8](repeating: 0x20, count: 1 << 21)
        #expect(harness.binary(good, long).failure == .tooLarge)
    }

    @Test func headersThatBreakOff() {
        let bytes = flatHeaders(required)
        var boundaries: Set<Int> = [0]
        for count in 1...required.count {
            boundaries.insert(flatHeaders(Array(required.prefix(count))).count)
        }
        for length in 0..<bytes.count {
            let failure = harness.binary(Array(bytes[..<length]), data).failure
            if boundaries.contains(length) {
                if case .missing = failure { continue }
                Issue.record("\(length): \(String(describing: failure))")
            } else {
                #expect(failure == .malformed)
            }
        }
        var generator = Generator(state: 7)
        for _ in 0..<2000 {
            var broken = bytes
            broken[Int.random(in: 0..<broken.count, using: &generator)] = .random(
                in: 0...255, using: &generator)
            _ = harness.binary(broken, data)
            _ = withExactBytes(broken) { EventDecoder.isStructured(headers: $0) }
        }
    }

    @Test(
        arguments: [
            ([], true), ([("content-type", "application/cloudevents+json")], true),
            ([("Content-Type", "Application/CloudEvents; charset=utf-8"), ("ce_id", "x")], true),
            ([("trace", "x")], true), ([("content-type", "application/json")], true),
            ([("ce_id", "x")], false),
            ([("content-type", "application/json"), ("ce_id", "x")], false),
            ([("content-type", "application/cloudevent"), ("ce_type", "x")], false),
        ] as [([(String, String)], Bool)])
    func modes(_ headers: [(String, String)], _ isStructured: Bool) {
        let found = withExactBytes(flatHeaders(headers)) { EventDecoder.isStructured(headers: $0) }
        #expect(found == isStructured)
    }
}
