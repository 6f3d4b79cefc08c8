import Alerting
import Foundation
import KafkaEventLog
import Logging
import Metering
import MeteringModel
import MeteringPorts

extension EventLogParts {
    /// Opens reader, writer and the alerts producer, after a look at the topic's settings.
    static func openKafka(
        _ brokers: String, _ configuration: Configuration, _ logger: Logger
    ) async throws -> EventLogParts {
        let properties = configuration.kafkaProperties
        let findings = try await KafkaPreflight(
            brokers: brokers, topic: configuration.topic, properties: properties,
            requiredRetentionSeconds: configuration.dedupeDays * 86_400, logger: logger
        ).run()
        for finding in findings {
            logger.preflight("kafka", "\(finding.level)", finding.text)
        }
        if let problem = findings.first, problem.level == .error {
            // Nothing could be learned: nobody answers, or there is no such topic. To wait here
            // would look like a start that hangs.
            throw ConfigurationError(
                "--kafka \(brokers), --topic \(configuration.topic): \(problem.text)",
                exit: .unavailable)
        }
        let reader = try KafkaEventReader(
            brokers: brokers, topic: configuration.topic, group: configuration.group,
            properties: properties, logger: logger)
        let writer = try KafkaEventWriter(
            brokers: brokers, topic: configuration.topic, properties: properties, logger: logger)
        let alerts = try KafkaTopicProducer(
            brokers: brokers, topic: configuration.alertsTopic, properties: properties,
            logger: logger)
        return EventLogParts(
            reader: reader, writer: writer,
            replay: KafkaReplay(
                brokers: brokers, topic: configuration.topic, group: configuration.group,
                properties: properties, logger: logger), alerts: alerts,
            preflight: findings.map { ("\($0.level)", $0.text) },
            close: { await alerts.close() })
    }
}

/// Recounting reads through a client of its own, outside the group.
final class KafkaReplay: LogReplay {
    private let brokers: String
    private let topic: String
    private let group: String
    private let properties: [String: String]
    private let logger: Logger

    init(
        brokers: String, topic: String, group: String, properties: [String: String],
        logger: Logger
    ) {
        self.brokers = brokers
        self.topic = topic
        self.group = group
        self.properties = properties
        self.logger = logger
    }

    func replay(
        _ body: (LogRecordInfo, _ headers: RawSpan, _ value: RawSpan) -> Void
    ) throws(EventLogError) {
        try withReader { (reader) throws(EventLogError) in _ = try reader.replay(body) }
    }

    func replay(
        from offsets: [Int32: Int64],
        _ body: (LogRecordInfo, _ headers: RawSpan, _ value: RawSpan) -> Void
    ) throws(EventLogError) {
        try scan(from: offsets) { info, headers, value in
            body(info, headers, value)
            return true
        }
    }

    func scan(
        from offsets: [Int32: Int64],
        _ body: (LogRecordInfo, _ headers: RawSpan, _ value: RawSpan) -> Bool
    ) throws(EventLogError) {
        try withReader { (reader) throws(EventLogError) in
            _ = try reader.scan(from: offsets, body)
        }
    }

    private func withReader(
        _ body: (KafkaEventReader) throws(EventLogError) -> Void
    ) throws(EventLogError) {
        let reader = try KafkaEventReader(
            brokers: brokers, topic: topic, group: group, properties: properties, logger: logger)
        defer { reader.close() }
        try body(reader)
    }
}

/// One producer a topic. Records are keyed by customer; the header `id` repeats the message's stable
/// id for consumers that dedupe without parsing.
actor KafkaTopics: TopicProducing {
    private struct Use {
        var producer: KafkaTopicProducer
        /// Calls under way.
        var count = 0
        var lastAt: Int64 = 0
    }

    /// Each producer is a client with connections of its own. Beyond this the one that has been idle
    /// the longest makes room: endpoints come and go.
    private static let topicCountMax = 32

    private let brokers: String
    private let properties: [String: String]
    private let logger: Logger
    private var uses: [String: Use] = [:]
    private var calls: Int64 = 0
    /// Another owner closes it.
    private let first: KafkaTopicProducer?

    init(
        brokers: String, properties: [String: String], first: KafkaTopicProducer?, logger: Logger
    ) {
        self.brokers = brokers
        self.properties = properties
        self.first = first
        self.logger = logger
        if let first { uses[first.topic] = Use(producer: first) }
    }

    func produce(_ records: [TopicRecord], to topic: String) async throws {
        let batch = records.map { record -> KafkaTopicProducer.Record in
            var headers: [UInt8] = []
            FlatHeaders.append(name: "content-type", value: "application/json", to: &headers)
            FlatHeaders.append(name: "id", value: record.id, to: &headers)
            return .init(
                key: record.key.isEmpty ? nil : record.key, headers: headers, value: record.value)
        }
        let producer = try await producer(topic)
        calls += 1
        uses[topic]?.count += 1
        uses[topic]?.lastAt = calls
        defer { uses[topic]?.count -= 1 }
        _ = try await producer.produce(batch)
    }

    private func producer(_ topic: String) async throws -> KafkaTopicProducer {
        if let known = uses[topic] { return known.producer }
        if uses.count >= Self.topicCountMax {
            let idle = uses.filter { $0.value.count == 0 && $0.key != first?.topic }
            guard let oldest = idle.min(by: { $0.value.lastAt < $1.value.lastAt })?.key,
                let old = uses.removeValue(forKey: oldest)
            else {
                throw EventLogError(
                    code: .overloaded,
                    message: "more than \(Self.topicCountMax) topics are written to at once; "
                        + "it is tried again")
            }
            await old.producer.close()
            // Another call may have made it meanwhile.
            if let known = uses[topic] { return known.producer }
        }
        let made = try KafkaTopicProducer(
            brokers: brokers, topic: topic, properties: properties, logger: logger)
        uses[topic] = Use(producer: made)
        return made
    }

    func close() async {
        for (topic, use) in uses where topic != first?.topic { await use.producer.close() }
    }
}
