import Foundation
import JournalEventLog
import MeteringModel
import MeteringPorts
import Synchronization
import Testing

/// A directory for one journal, removed with everything in it.
final class JournalDirectory: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "/tollgate-journal-" + UUID().uuidString
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    var file: String { path + "/journal.db" }

    func open(
        clock: JournalClock = JournalClock(), options: EventJournal.Options = .init()
    ) throws -> EventJournal {
        try EventJournal(path: file, clock: clock.wallClock, options: options)
    }
}

/// One empty journal for one test of the conformance suite.
final class JournalFixture: Sendable {
    private let directory: JournalDirectory
    init() throws { directory = try JournalDirectory() }

    func makeWriter() throws -> any EventLogWriter { try directory.open() }

    /// A reader of its own, since the suite also reads after the writer has been closed.
    func makeReader() throws -> any EventLogReader {
        // A journal that nobody has opened yet is empty, not missing.
        if !FileManager.default.fileExists(atPath: directory.file) { _ = try directory.open() }
        return try JournalReader(path: directory.file)
    }
}

/// A clock that the test sets.
final class JournalClock: Sendable {
    private let seconds = Mutex<Int64>(1_700_000_000)
    func set(seconds value: Int64) { seconds.withLock { $0 = value } }
    var wallClock: WallClock {
        WallClock { [self] in Timestamp(seconds: seconds.withLock { $0 }) }
    }
}

/// Tells the reader where to start, and remembers what it was told.
final class StartAt: PartitionAssignmentDelegate {
    let offset: Int64
    private(set) var calls: [String] = []
    init(_ offset: Int64) { self.offset = offset }
    func partitionsAssigned(_ partitions: [Int32]) throws(EventLogError) -> [Int32: Int64] {
        calls.append("assigned \(partitions)")
        return [0: offset]
    }
    func partitionsRevoked(_ partitions: [Int32], isLost: Bool) {
        calls.append("revoked \(partitions) \(isLost)")
    }
}

struct JournalRecord: Equatable {
    var offset: Int64
    var appendedAt: Timestamp
    var headers: [UInt8]
    var value: String

    init(_ info: LogRecordInfo, _ headers: RawSpan, _ value: RawSpan) {
        offset = info.offset
        appendedAt = info.appendedAt
        self.headers = Self.bytes(headers)
        self.value = String(decoding: Self.bytes(value), as: UTF8.self)
    }

    private static func bytes(_ span: RawSpan) -> [UInt8] {
        (0..<span.byteCount).map { span.byte(at: $0) }
    }
}

extension JournalReader {
    func take(_ count: Int = 10_000, timeoutMilliseconds: Int = 0) throws -> [JournalRecord] {
        var records: [JournalRecord] = []
        _ = try poll(maxRecords: count, timeoutMilliseconds: timeoutMilliseconds) {
            records.append(JournalRecord($0, $1, $2))
        }
        return records
    }

    func all(from offset: Int64 = 0) throws -> [JournalRecord] {
        var records: [JournalRecord] = []
        try replay(from: offset) { records.append(JournalRecord($0, $1, $2)) }
        return records
    }
}

func entry(_ text: String, key: String = "k") -> LogAppend {
    LogAppend(key: key, headers: [], value: Array(text.utf8))
}

/// Runs `body` and returns the log's error, failing the test when there is none.
func logError<Value>(_ body: () async throws -> Value) async -> EventLogError? {
    do {
        _ = try await body()
        Issue.record("no error was thrown")
        return nil
    } catch {
        return error as? EventLogError
    }
}

extension JournalFixture: EventLogFixture {}
