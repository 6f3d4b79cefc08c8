import MeteringModel

/// How statement lines are written into a file.
enum StatementFormat: String, Sendable, CaseIterable {
    case csv, ndjson, focus

    var contentType: StaticString {
        switch self {
        case .csv, .focus: "text/csv; charset=utf-8; header=present"
        case .ndjson: "application/x-ndjson"
        }
    }

    func fileName(_ month: BillingMonth) -> String {
        switch self {
        case .csv: "statements-\(month).csv"
        case .ndjson: "statements-\(month).ndjson"
        case .focus: "focus-\(month).csv"
        }
    }
}

/// Writes one file: its head, then rows.
struct StatementWriter: Sendable {
    let format: StatementFormat
    let issuer: String

    func head() -> [UInt8] {
        var bytes: [UInt8] = []
        switch format {
        case .csv: CSVLine.write(StatementColumns.names.map { .text($0) }, to: &bytes)
        case .focus: CSVLine.write(FocusColumns.names.map { .text($0) }, to: &bytes)
        case .ndjson: break
        }
        return bytes
    }

    func write(_ row: StatementRow, to bytes: inout [UInt8]) {
        switch format {
        case .csv: CSVLine.write(StatementColumns.cells(row), to: &bytes)
        case .focus: CSVLine.write(FocusColumns(issuer: issuer).cells(row), to: &bytes)
        case .ndjson:
            row.document.write(to: &bytes)
            bytes.append(UInt8(ascii: "\n"))
        }
    }
}
