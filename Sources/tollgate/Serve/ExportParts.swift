import BillingExport
import Crypto
import Entitlements
import KafkaEventLog
import Logging
import MeteringModel
import MeteringPorts
import OutboundHTTP
import Provisioning
import SQLBilling

/// Exports, put together: files of statements, the statements' topic, Stripe's meter events.
struct ExportParts: Sendable {
    let service: ExportService
    private let store: SQLBilling
    private let counters = ExportCounters()
    /// Nil without a key of Stripe.
    private let stripe: StripeParts?
    /// Nil without a topic.
    private let topic: (feed: StatementTopic, producer: KafkaTopicProducer)?

    init(_ stores: Stores, _ configuration: Configuration, logger: Logger) throws {
        let (store, clock) = (stores.billing, stores.clock)
        let identifier = MeterEventIdentifier(
            hash: stores.control.engine.current.load().hash)
        self.store = store
        service = ExportService(
            store: store,
            exporter: StatementExporter(
                billing: store, exports: store, issuer: configuration.exports.issuer,
                clock: clock, counters: counters, makeDigest: { FileDigest() }),
            resolver: MeterEventResolver(store: store, identifier: identifier), clock: clock)
        stripe = try StripeParts.open(
            stores, configuration, identifier: identifier, counters: counters, logger: logger)
        topic = try Self.openTopic(store, configuration, counters, logger)
    }

    private static func openTopic(
        _ store: SQLBilling, _ configuration: Configuration, _ counters: ExportCounters,
        _ logger: Logger
    ) throws -> (feed: StatementTopic, producer: KafkaTopicProducer)? {
        guard let name = configuration.exports.statementsTopic, let brokers = configuration.kafka
        else { return nil }
        let producer = try KafkaTopicProducer(
            brokers: brokers, topic: name, properties: configuration.kafkaProperties,
            logger: logger)
        let feed = StatementTopic(store: store, counters: counters, logger: logger) { records in
            _ = try await producer.produce(records.map(Self.record))
        }
        return (feed, producer)
    }

    /// The header `id` repeats the line's stable id for consumers that dedupe without parsing.
    private static func record(_ line: StatementTopicRecord) -> KafkaTopicProducer.Record {
        var headers: [UInt8] = []
        FlatHeaders.append(name: "content-type", value: "application/json", to: &headers)
        FlatHeaders.append(name: "id", value: line.id, to: &headers)
        return .init(key: line.key, headers: headers, value: line.value)
    }

    /// The tasks that export; they end when they are cancelled.
    func start() -> [Task<Void, Never>] {
        var tasks: [Task<Void, Never>] = []
        if let stripe { tasks.append(Task { await stripe.export.run() }) }
        if let topic { tasks.append(Task { await topic.feed.run() }) }
        return tasks
    }

    /// Gives calls under way up: they are made again after the next start, under the same names.
    func close() async {
        await stripe?.http.close()
        await topic?.producer.close()
    }

    /// Why nothing is sent to Stripe at the moment.
    var trouble: String? { stripe?.sender.trouble }
}

extension ExportParts {
    func metrics(_ text: inout MetricsText, now: Timestamp) {
        let name = "tollgate_export_rows_total"
        let help = "What was exported, by where to and what came of it."
        for result in ExportCounters.Result.allCases {
            text.counter(
                name, help, [("target", "stripe"), ("result", result.rawValue)],
                counters.meterEvents(result).value)
        }
        text.counter(
            name, help, [("target", "file"), ("result", "sent")], counters.fileLines.value)
        text.counter(
            name, help, [("target", "topic"), ("result", "sent")], counters.topicLines.value)
        text.counter(
            name, help, [("target", "topic"), ("result", "failed")], counters.topicFailures.value)
        text.counter(
            "tollgate_export_failures_total",
            "Customers' meters that could not be planned, and records that could not be written.",
            [], counters.planningFailures.value + counters.storeFailures.value)
        guard stripe != nil, let summary = try? store.meterEventSummary() else { return }
        for state in StoredMeterEvent.State.allCases where state != .sent && state != .replaced {
            text.gauge(
                "tollgate_export_waiting",
                "Meter events that Stripe has not been told for certain, by state.",
                [("state", state.rawValue)], Double(summary.counts[state] ?? 0))
        }
        let age = summary.waitingSince.map { now.microseconds(since: $0) } ?? 0
        text.gauge(
            "tollgate_export_oldest_seconds", "Age of the oldest meter event that waits.", [],
            Double(max(0, age)) / 1e6)
    }
}

/// SHA-256 of a file, as `sha256sum` has it.
private struct FileDigest: ByteDigest {
    private var hash = SHA256()
    mutating func update(_ bytes: [UInt8]) { hash.update(data: bytes) }
    var text: String { "sha256:" + HexText.of(hash.finalize()) }
}

/// Bytes as hexadecimal digits.
enum HexText {
    static func of(_ bytes: some Sequence<UInt8>) -> String {
        bytes.reduce(into: "") { text, byte in
            text += (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
    }
}
