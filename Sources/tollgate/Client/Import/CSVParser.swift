/// One record of a CSV file.
struct CSVRecord: Sendable, Hashable {
    /// Number of the line that it starts on, from 1.
    var line: Int
    var fields: [String]
    /// The record's bytes as they stand in the file, without the line end.
    var bytes: [UInt8]
}

struct CSVError: Error, Sendable, Hashable {
    var line: Int
    var message: String
}

/// Reads RFC 4180 from chunks of any size: LF or CR LF, quoted fields with doubled quotes and line
/// ends inside, a last line without an end. A byte order mark at the start and empty lines are
/// passed over.
struct CSVParser: Sendable {
    static let recordBytesMax = 1 << 20

    private enum State: Sendable { case fieldStart, plain, quoted, quoteInQuoted, afterCR }

    private var state = State.fieldStart
    private var stateBeforeCR = State.fieldStart
    private var field: [UInt8] = []
    private var fields: [String] = []
    private var bytes: [UInt8] = []
    private var line = 1
    private var recordLine = 1
    private var isAtFileStart = true

    /// Takes more of the file and hands every record that is now complete to `body`.
    mutating func feed(
        _ chunk: some Sequence<UInt8>, _ body: (CSVRecord) -> Void
    ) throws(CSVError) {
        for byte in chunk {
            if let record = try take(byte) { body(record) }
        }
    }

    /// The file has ended.
    /// - Returns: the last record, when the file does not end in a line end.
    mutating func finish() throws(CSVError) -> CSVRecord? {
        if state == .quoted { throw CSVError(line: recordLine, message: "quote never closed") }
        // A lone CR at the very end is taken for the line end that it was meant to be.
        if state == .afterCR { state = stateBeforeCR }
        return endRecord()
    }

    private mutating func take(_ byte: UInt8) throws(CSVError) -> CSVRecord? {
        if state == .afterCR {
            guard byte == UInt8(ascii: "\n") else {
                throw CSVError(line: line, message: "CR without LF outside quotes")
            }
            state = stateBeforeCR
            return endLine()
        }
        if state != .quoted {
            if byte == UInt8(ascii: "\n") { return endLine() }
            if byte == UInt8(ascii: "\r") {
                stateBeforeCR = state
                state = .afterCR
                return nil
            }
        }
        if byte == UInt8(ascii: "\n") { line += 1 }
        bytes.append(byte)
        if bytes.count > Self.recordBytesMax {
            throw CSVError(line: recordLine, message: "record longer than 1 MiB")
        }
        try takeContent(byte)
        return nil
    }

    private mutating func takeContent(_ byte: UInt8) throws(CSVError) {
        switch (state, byte) {
        case (.fieldStart, UInt8(ascii: "\"")): state = .quoted
        case (.fieldStart, UInt8(ascii: ",")), (.plain, UInt8(ascii: ",")),
            (.quoteInQuoted, UInt8(ascii: ",")):
            endField()
        case (.fieldStart, _), (.plain, _):
            if byte == UInt8(ascii: "\"") {
                throw CSVError(line: line, message: "quote inside an unquoted field")
            }
            state = .plain
            field.append(byte)
            dropByteOrderMark()
        case (.quoted, UInt8(ascii: "\"")): state = .quoteInQuoted
        case (.quoted, _): field.append(byte)
        case (.quoteInQuoted, UInt8(ascii: "\"")):
            field.append(byte)
            state = .quoted
        default: throw CSVError(line: line, message: "text after a closing quote")
        }
    }

    private mutating func dropByteOrderMark() {
        guard isAtFileStart, bytes.count <= 3 else { return }
        if bytes == [0xEF, 0xBB, 0xBF] {
            bytes.removeAll()
            field.removeAll()
            state = .fieldStart
        }
    }

    private mutating func endLine() -> CSVRecord? {
        let record = endRecord()
        line += 1
        recordLine = line
        return record
    }

    private mutating func endField() {
        fields.append(String(decoding: field, as: UTF8.self))
        field.removeAll(keepingCapacity: true)
        state = .fieldStart
    }

    private mutating func endRecord() -> CSVRecord? {
        isAtFileStart = false
        if bytes.isEmpty {
            state = .fieldStart
            return nil
        }
        endField()
        defer {
            fields.removeAll(keepingCapacity: true)
            bytes.removeAll(keepingCapacity: true)
        }
        return CSVRecord(line: recordLine, fields: fields, bytes: bytes)
    }
}
