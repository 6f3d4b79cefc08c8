import KafkaClient
import MeteringModel
import MeteringPorts
import Synchronization
import Testing

/// One empty log for one test.
protocol EventLogFixture: Sendable {
    func makeWriter() throws -> any EventLogWriter
    /// Called on the thread that will use the reader.
    func makeReader() throws -> any EventLogReader
}

/// Every log there is; each check of the conformance suite runs once per case.
enum EventLogKind: CaseIterable, CustomTestStringConvertible {
    case kafka, journal

    func makeFixture() throws -> any EventLogFixture {
        switch self {
        case .kafka: try KafkaFixture()
        case .journal: try JournalFixture()
        }
    }

    var testDescription: String { "\(self)" }
}

/// A record as a test keeps it.
struct SeenRecord: Sendable, Hashable {
    var partition: Int32
    var offset: Int64
    var appendedAt: Timestamp
    var isNull: Bool
    var headers: [UInt8]
    var value: [UInt8]

    init(_ info: LogRecordInfo, _ headers: RawSpan, _ value: RawSpan) {
        partition = info.partition
        offset = info.offset
        appendedAt = info.appendedAt
        isNull = info.isNull
        self.headers = Self.bytes(headers)
        self.value = Self.bytes(value)
    }

    var text: String { String(decoding: value, as: UTF8.self) }
    var position: LogPosition { LogPosition(partition: partition, offset: offset) }

    private static func bytes(_ span: RawSpan) -> [UInt8] {
        // SAFETY: the pointer stays inside the closure, which copies.
        unsafe span.withUnsafeBytes { unsafe Array($0) }
    }
}

/// Stands for the ledger: where each partition stands, shared by the readers of a test.
final class PositionBook: Sendable {
    private let state: Mutex<[Int32: Int64]>
    init(_ positions: [Int32: Int64] = [:]) { state = Mutex(positions) }
    subscript(partition: Int32) -> Int64 { state.withLock { $0[partition] ?? 0 } }
    func advance(past record: SeenRecord) {
        state.withLock { $0[record.partition] = record.offset + 1 }
    }
}

/// What happened, in one order for all threads of a test.
final class Journey: Sendable {
    enum Step: Sendable, Hashable {
        case assigned(String, [Int32])
        case revoked(String, [Int32], isLost: Bool)
        case read(String, SeenRecord)
        case failed(String, EventLogError.Code, String)
    }
    private let state = Mutex<[Step]>([])
    func add(_ step: Step) { state.withLock { $0.append(step) } }
    var steps: [Step] { state.withLock { $0 } }
    var records: [SeenRecord] {
        steps.compactMap { if case .read(_, let record) = $0 { record } else { nil } }
    }
    var failures: [(code: EventLogError.Code, message: String)] {
        steps.compactMap {
            if case .failed(_, let code, let message) = $0 { (code, message) } else { nil }
        }
    }
    func assignmentCount(of name: String) -> Int {
        steps.count { if case .assigned(name, _) = $0 { true } else { false } }
    }
}

/// Answers from a book and notes what it is told; throws as often as it is told to at first.
final class BookKeeper: PartitionAssignmentDelegate {
    private let name: String
    private let book: PositionBook
    private let journey: Journey
    private var refusalsLeft: Int

    init(_ name: String, _ book: PositionBook, _ journey: Journey, refusals: Int = 0) {
        self.name = name
        self.book = book
        self.journey = journey
        refusalsLeft = refusals
    }

    func partitionsAssigned(_ partitions: [Int32]) throws(EventLogError) -> [Int32: Int64] {
        if refusalsLeft > 0 {
            refusalsLeft -= 1
            throw EventLogError(code: .unreachable, message: "no ledger yet", isRetriable: true)
        }
        journey.add(.assigned(name, partitions))
        return Dictionary(uniqueKeysWithValues: partitions.map { ($0, book[$0]) })
    }

    func partitionsRevoked(_ partitions: [Int32], isLost: Bool) {
        journey.add(.revoked(name, partitions, isLost: isLost))
    }
}

/// Reads on a thread of its own until `isDone` or half a minute has passed, then closes.
/// - Parameter isDone: asked after every poll, on that thread.
func read(
    _ name: String = "reader", from fixture: any EventLogFixture, book: PositionBook = .init(),
    journey: Journey, refusals: Int = 0,
    isDone: @escaping @Sendable (any EventLogReader) -> Bool
) async throws {
    let failure = await OwnedThread.run { () -> (any Error)? in
        do {
            let reader = try fixture.makeReader()
            defer { reader.close() }
            let keeper = BookKeeper(name, book, journey, refusals: refusals)
            reader.assignmentDelegate = keeper
            // The delegate is not kept alive by every reader.
            try withExtendedLifetime(keeper) {
                let deadline = ContinuousClock.now.advanced(by: .seconds(30))
                while !isDone(reader) {
                    guard ContinuousClock.now < deadline else { throw ReadTimeout() }
                    do throws(EventLogError) {
                        _ = try reader.poll(maxRecords: 1_000, timeoutMilliseconds: 50) {
                            let record = SeenRecord($0, $1, $2)
                            journey.add(.read(name, record))
                            book.advance(past: record)
                        }
                    } catch {
                        journey.add(.failed(name, error.code, error.message))
                    }
                }
                reader.close()
            }
            return nil
        } catch {
            return error
        }
    }
    if let failure { throw failure }
}

struct ReadTimeout: Error {}

/// Reads `count` records and then looks whether there are more than that.
func records(
    from fixture: any EventLogFixture, count: Int, book: PositionBook = .init()
) async throws -> [SeenRecord] {
    let journey = Journey()
    let extraPolls = Mutex(5)
    try await read(from: fixture, book: book, journey: journey) { _ in
        journey.records.count >= count
            && extraPolls.withLock {
                $0 -= 1
                return $0 < 0
            }
    }
    return journey.records
}

/// The error that `body` throws; nil, and a failed test, when it throws none.
func eventLogError<Value>(
    _ body: () async throws -> Value, sourceLocation: SourceLocation = #_sourceLocation
) async -> EventLogError? {
    do {
        _ = try await body()
        Issue.record("nothing was thrown", sourceLocation: sourceLocation)
        return nil
    } catch {
        return error as? EventLogError
    }
}

extension LogAppend {
    init(_ text: String, key: String = "subject") {
        self.init(key: key, value: Array(text.utf8))
    }
}
