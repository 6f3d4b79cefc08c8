package import Logging
package import MeteringPorts

/// Appends events to one topic; records with equal keys stay in order in one partition, the same
/// one that Java's producer would choose.
package final class KafkaEventWriter: EventLogWriter {
    private let producer: KafkaTopicProducer

    /// Starts the client; it connects in the background.
    /// - Parameters:
    ///   - brokers: `host:port` pairs, separated by commas.
    ///   - properties: librdkafka properties that override the defaults.
    /// - Throws: `misconfigured`, naming the property, when one is wrong or would break a promise.
    package init(
        brokers: String, topic: String, properties: [String: String] = [:],
        logger: Logger = Logger(label: "tollgate.kafka")
    ) throws(EventLogError) {
        producer = try KafkaTopicProducer(
            brokers: brokers, topic: topic, properties: properties, logger: logger)
    }

    package func append(_ records: [LogAppend]) async throws(EventLogError) -> [LogPosition] {
        try await producer.produce(
            records.map { .init(key: $0.key, headers: $0.headers, value: $0.value) })
    }

    package func close() async {
        await producer.close()
    }
}
