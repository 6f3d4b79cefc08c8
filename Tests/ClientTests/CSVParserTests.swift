import Testing

@testable import tollgate

@Suite("CSV") struct CSVParserTests {
    private func records(_ text: String, chunk: Int = 7) throws -> [CSVRecord] {
        var parser = CSVParser()
        var records: [CSVRecord] = []
        let bytes = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: chunk) {
            try parser.feed(bytes[start..<min(start + chunk, bytes.count)]) { records.append($0) }
        }
        if let last = try parser.finish() { records.append(last) }
        return records
    }

    @Test(
        "every cut gives the same records", arguments: [1, 2, 3, 5, 100],
        ["a,b\r\n1,2\r\n3,4", "a,b\n1,2\n3,4\n", "\u{FEFF}a,b\n\n1,2\r\n\r\n3,4\r\n"])
    func lineEnds(chunk: Int, text: String) throws {
        let fields = try records(text, chunk: chunk).map(\.fields)
        #expect(fields == [["a", "b"], ["1", "2"], ["3", "4"]])
    }

    @Test func quotes() throws {
        let text = "\"a \"\"b\"\"\",\"c,d\"\r\n\"line\r\nbreak\",\"\"\r\n,\r\n"
        let found = try records(text)
        #expect(found.map(\.fields) == [["a \"b\"", "c,d"], ["line\r\nbreak", ""], ["", ""]])
        #expect(found.map(\.line) == [1, 2, 4])
        #expect(String(decoding: found[1].bytes, as: UTF8.self) == "\"line\r\nbreak\",\"\"")
    }

    @Test(
        "what is no CSV is refused with its line",
        arguments: [
            ("a\n\"b", 2), ("a\nb\"c\n", 2), ("a\n\"b\"c\n", 2), ("a\rb\n", 1),
        ])
    func malformed(text: String, line: Int) {
        let error = #expect(throws: CSVError.self) { try records(text) }
        #expect(error?.line == line)
    }

    @Test func endlessRecordsAreRefused() {
        let text = String(repeating: "x", count: CSVParser.recordBytesMax + 1)
        #expect(throws: CSVError.self) { try records(text, chunk: 1 << 16) }
    }

    @Test func nothingGivesNothing() throws {
        #expect(try records("").isEmpty)
        #expect(try records("\r\n\n").isEmpty)
    }
}
