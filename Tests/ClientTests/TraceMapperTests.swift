import MeteringModel
import Testing

@testable import tollgate

@Suite("Traces to events") struct TraceMapperTests {
    private func mapper(
        data: [String] = ["total_tokens=A+B"], subjects: TraceMapper.Subjects = .column("K"),
        type: String = "llm.request"
    ) throws -> TraceMapper {
        try TraceMapper(
            header: ["T", "A", "B", "K"], type: type, source: "test", time: "T",
            data: data.compactMap(DataMapping.init), subjects: subjects)
    }

    private func record(_ fields: String...) -> CSVRecord {
        CSVRecord(line: 2, fields: fields, bytes: Array(fields.joined(separator: ",").utf8))
    }

    @Test func rowBecomesCloudEvent() throws {
        let text = try mapper(data: ["total_tokens=A+B", "key=K"])
            .event(row: 1, record: record("1700158623", "4808", "10", "k \"1\""))
        let id = TraceMapper.id(
            type: "llm.request", row: 1, bytes: Array("1700158623,4808,10,k \"1\"".utf8))
        #expect(
            text == #"{"specversion":"1.0","id":"\#(id)","source":"test","type":"llm.request","#
                + #""subject":"k \"1\"","time":"2023-11-16T18:17:03Z","#
                + #""datacontenttype":"application/json","#
                + #""data":{"total_tokens":4818,"key":"k \"1\""}}"#)
    }

    @Test("the id is of the content, not of the shift") func identity() throws {
        let row = record("1700158623", "1", "2", "k")
        var shifted = try mapper()
        shifted.shiftMicroseconds = 86_400_000_000
        let plain = try mapper().event(row: 5, record: row)
        let later = try shifted.event(row: 5, record: row)
        #expect(plain != later)
        #expect(later.contains("2023-11-17T18:17:03Z"))
        let id = plain.split(separator: "\"")[7]
        #expect(id.count == 32)
        #expect(later.split(separator: "\"")[7] == id)
        let others = [
            try mapper().event(row: 6, record: row),
            try mapper(type: "other").event(row: 5, record: row),
            try mapper().event(row: 5, record: record("1700158623", "1", "3", "k")),
        ]
        for other in others { #expect(other.split(separator: "\"")[7] != id) }
    }

    @Test("ids are the same in every build") func pinnedIdentity() {
        let id = TraceMapper.id(
            type: "llm.request", row: 1, bytes: Array("2023-11-16 18:17:03.9799600,4808,10".utf8))
        #expect(id == "9879272b70186cf3d0d3b796213264b2")
    }

    @Test func badRowsAreProblems() throws {
        let mapper = try mapper()
        let rows = [
            (record("1700158623", "1", "2"), "bad_row"),
            (record("soon", "1", "2", "k"), "bad_time"),
            (record("1700158623", "1", "x", "k"), "bad_number"),
            (record("1700158623", "9223372036854775807", "1", "k"), "bad_number"),
            (record("1700158623", "1", "2", ""), "missing_subject"),
        ]
        for (row, code) in rows {
            let problem = #expect(throws: RowProblem.self) { try mapper.event(row: 1, record: row) }
            #expect(problem?.code == code)
        }
    }

    @Test func unknownColumnsAreNamed() {
        let failure = #expect(throws: ClientFailure.self) {
            try mapper(data: ["a=A+Nope"])
        }
        #expect(failure?.status == .badInput)
        #expect(failure?.message.contains("'Nope'") == true)
    }

    @Test(
        "sums are exact",
        arguments: [
            (["1", "2"], "3"), (["0.1", "0.2"], "0.3"), (["1.5", "-0.50"], "1.0"),
            (["9007199254740993", "0"], "9007199254740993"), (["1e3", "1"], "1001"),
            (["0.001", "1e2"], "100.001"),
        ])
    func sums(fields: [String], sum: String) throws {
        #expect(try DataMapping.sum(fields) == sum)
    }

    @Test func expressionsAreParsed() {
        #expect(DataMapping("a=B+C")?.columns == ["B", "C"])
        #expect(DataMapping("a=B = C")?.columns == ["B = C"])
        for text in ["", "a", "=B", "a=", "a=B+", "a=+B"] { #expect(DataMapping(text) == nil) }
    }

    @Test func oneColumnKeepsItsForm() throws {
        let mapping = try #require(DataMapping("a=B"))
        #expect(try mapping.value(of: ["12.50"]) == .number("12.50"))
        #expect(try mapping.value(of: ["012"]) == .string("012"))
        #expect(try mapping.value(of: ["NaN"]) == .string("NaN"))
        #expect(try mapping.value(of: [""]) == .string(""))
    }
}
