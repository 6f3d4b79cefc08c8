import MeteringModel

/// Turns rows of a trace into CloudEvents.
///
/// The id is made of the row's number, its bytes and the event type, so the same file gives
/// the same ids whatever it is called and wherever its times are shifted to: imported twice, it
/// counts once.
struct TraceMapper: Sendable {
    enum Subjects: Sendable {
        case zipf(ZipfSubjects)
        case column(String)
    }

    private struct CompiledMapping: Sendable {
        var mapping: DataMapping
        var indexes: [Int]
    }

    private enum CompiledSubjects: Sendable {
        case zipf(ZipfSubjects)
        case column(Int)
    }

    let type: String
    let source: String
    /// Added to every time, in microseconds.
    var shiftMicroseconds: Int64 = 0
    private let timeColumn: Int
    private let columnCount: Int
    private let subjects: CompiledSubjects
    private let mappings: [CompiledMapping]

    /// - Throws: `badInput` naming a column that the header does not have.
    init(
        header: [String], type: String, source: String, time: String, data: [DataMapping],
        subjects: Subjects
    ) throws(ClientFailure) {
        func index(_ column: String) throws(ClientFailure) -> Int {
            guard let index = header.firstIndex(of: column) else {
                let known = header.joined(separator: ", ")
                throw ClientFailure(.badInput, "no column '\(column)'; the file has: \(known)")
            }
            return index
        }
        self.type = type
        self.source = source
        columnCount = header.count
        timeColumn = try index(time)
        var compiled: [CompiledMapping] = []
        for mapping in data {
            var indexes: [Int] = []
            for column in mapping.columns { indexes.append(try index(column)) }
            compiled.append(CompiledMapping(mapping: mapping, indexes: indexes))
        }
        mappings = compiled
        switch subjects {
        case .zipf(let zipf): self.subjects = .zipf(zipf)
        case .column(let name): self.subjects = .column(try index(name))
        }
    }

    /// The time written in the row, unshifted.
    func time(of record: CSVRecord) throws(RowProblem) -> Timestamp {
        guard record.fields.count == columnCount else {
            throw RowProblem(
                code: "bad_row",
                detail: "\(record.fields.count) fields where the header has \(columnCount)")
        }
        let text = record.fields[timeColumn]
        guard let time = TraceTime.parse(text) else {
            throw RowProblem(code: "bad_time", detail: "'\(text)' is not a time")
        }
        return time
    }

    /// - Parameter row: number of the data row, from 1.
    /// - Returns: a structured CloudEvent.
    func event(row: Int, record: CSVRecord) throws(RowProblem) -> String {
        let written = try time(of: record)
        let (micros, overflow) = written.microseconds.addingReportingOverflow(shiftMicroseconds)
        let time = Timestamp(microseconds: micros)
        if overflow || time < .distantPast || time >= .distantFuture {
            throw RowProblem(code: "bad_time", detail: "the shifted time leaves the calendar")
        }
        let subject: String
        switch subjects {
        case .zipf(let zipf): subject = zipf.subject(row: row)
        case .column(let index): subject = record.fields[index]
        }
        if subject.isEmpty { throw RowProblem(code: "missing_subject", detail: "empty subject") }
        var data: [JSONValue.Member] = []
        for compiled in mappings {
            let value = try compiled.mapping.value(of: compiled.indexes.map { record.fields[$0] })
            data.append(JSONValue.Member(name: compiled.mapping.member, value: value))
        }
        return CloudEvent(
            id: Self.id(type: type, row: row, bytes: record.bytes), source: source, type: type,
            subject: subject, time: TraceTime.text(time), data: .object(data)
        ).json.text
    }

    /// 32 hexadecimal digits: two 64-bit hashes with keys that never change.
    static func id(type: String, row: Int, bytes: [UInt8]) -> String {
        let head = "\(type.utf8.count):\(type)\(row):"
        let whole = Array(head.utf8) + bytes
        return [KeyHash(k0: 0x7472_6163, k1: 1), KeyHash(k0: 0x6509_6964, k1: 2)].map { hash in
            // SAFETY: bytes have no padding, and the span is read while `whole` is alive.
            let word = unsafe hash.hash(whole.span.bytes)
            let digits = String(word, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }
}
