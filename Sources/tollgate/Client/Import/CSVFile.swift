import Foundation

/// The records of a CSV file one after another, read in pieces: a trace of any size fits.
final class CSVFile {
    private static let chunkBytes = 1 << 18

    let header: [String]
    private let path: String
    private let handle: FileHandle
    private var parser = CSVParser()
    /// Records read and not handed over yet, newest first.
    private var ready: [CSVRecord] = []
    private var isAtEnd = false

    /// Reads the header line.
    init(path: String) throws(ClientFailure) {
        guard let handle = FileHandle(forReadingAtPath: path) else {
            throw ClientFailure(.badInput, "cannot read \(path)")
        }
        self.handle = handle
        var parser = CSVParser()
        var records: [CSVRecord] = []
        var isAtEnd = false
        while records.isEmpty, !isAtEnd {
            isAtEnd = try Self.readChunk(handle, &parser, into: &records, path: path)
        }
        guard let first = records.first else {
            throw ClientFailure(.badInput, "\(path) is empty: a header line is needed")
        }
        header = first.fields
        ready = records.dropFirst().reversed()
        self.parser = parser
        self.isAtEnd = isAtEnd
        self.path = path
    }

    /// The next record; nil at the end.
    func next() throws(ClientFailure) -> CSVRecord? {
        while ready.isEmpty, !isAtEnd {
            var records: [CSVRecord] = []
            isAtEnd = try Self.readChunk(handle, &parser, into: &records, path: path)
            ready = records.reversed()
        }
        return ready.popLast()
    }

    /// - Returns: whether the file has ended.
    private static func readChunk(
        _ handle: FileHandle, _ parser: inout CSVParser, into records: inout [CSVRecord],
        path: String
    ) throws(ClientFailure) -> Bool {
        let chunk: Data
        do {
            chunk = try handle.read(upToCount: chunkBytes) ?? Data()
        } catch {
            throw ClientFailure(.badInput, "cannot read \(path): \(error.localizedDescription)")
        }
        do throws(CSVError) {
            try parser.feed(chunk) { records.append($0) }
            if chunk.isEmpty, let last = try parser.finish() { records.append(last) }
        } catch {
            throw ClientFailure(.badInput, "\(path):\(error.line): \(error.message)")
        }
        return chunk.isEmpty
    }
}
