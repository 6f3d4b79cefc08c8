import Foundation
import JournalEventLog
import KafkaEventLog
import Logging
import Metering
import MeteringModel
import MeteringPorts

/// The event log as configured: Kafka, or the embedded journal.
struct EventLogParts: Sendable {
    nonisolated(unsafe) var reader: any EventLogReader
    var writer: any EventLogWriter
    var replay: any LogReplay
    var alerts: KafkaTopicProducer?
    var preflight: [(level: String, text: String)]
    var close: @Sendable () async -> Void

    static func open(
        _ configuration: Configuration, clock: WallClock, logger: Logger
    ) async throws -> EventLogParts {
        guard let brokers = configuration.kafka else {
            let journal = try EventJournal(
                path: configuration.dataDirectory + "/journal.db", clock: clock)
            return EventLogParts(
                reader: try journal.makeReader(), writer: journal,
                replay: JournalReplay(journal: journal), alerts: nil, preflight: [], close: {})
        }
        return try await openKafka(brokers, configuration, logger)
    }
}

/// Recounting reads through a connection of its own.
final class JournalReplay: LogReplay {
    private let journal: EventJournal
    init(journal: EventJournal) { self.journal = journal }

    func replay(
        _ body: (LogRecordInfo, _ headers: RawSpan, _ value: RawSpan) -> Void
    ) throws(EventLogError) {
        let reader = try journal.makeReader()
        defer { reader.close() }
        try reader.replay(from: 0, body)
    }

    func replay(
        from offsets: [Int32: Int64],
        _ body: (LogRecordInfo, _ headers: RawSpan, _ value: RawSpan) -> Void
    ) throws(EventLogError) {
        let reader = try journal.makeReader()
        defer { reader.close() }
        try reader.replay(from: offsets[0] ?? 0, body)
    }

    func scan(
        from offsets: [Int32: Int64],
        _ body: (LogRecordInfo, _ headers: RawSpan, _ value: RawSpan) -> Bool
    ) throws(EventLogError) {
        guard let first = offsets[0] else { return }
        let reader = try journal.makeReader()
        defer { reader.close() }
        try reader.scan(from: first, body)
    }
}
