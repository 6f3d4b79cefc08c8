import KafkaClient
import KafkaEventLog
import MeteringPorts

/// A mock cluster with one topic, over real sockets.
final class KafkaFixture: EventLogFixture {
    static let topic = "usage"

    let cluster: MockCluster
    let partitionCount: Int

    init(partitions: Int = 3, brokers: Int = 1) throws {
        cluster = try MockCluster(brokers: brokers)
        partitionCount = partitions
        try cluster.createTopic(Self.topic, partitions: partitions)
    }

    var brokers: String { cluster.bootstrapServers }

    /// The mock answers an empty fetch only after the full wait, and settles a rebalance a second
    /// before the session's end.
    static let readerProperties = [
        "fetch.wait.max.ms": "10", "session.timeout.ms": "3000", "heartbeat.interval.ms": "100",
    ]
    static let writerProperties = ["linger.ms": "1"]

    func makeWriter() throws -> any EventLogWriter { try makeKafkaWriter() }

    func makeKafkaWriter(_ properties: [String: String] = [:]) throws -> KafkaEventWriter {
        try KafkaEventWriter(
            brokers: brokers, topic: Self.topic,
            properties: Self.writerProperties.merging(properties) { _, new in new })
    }

    func makeProducer(_ properties: [String: String] = [:]) throws -> KafkaTopicProducer {
        try KafkaTopicProducer(
            brokers: brokers, topic: Self.topic,
            properties: Self.writerProperties.merging(properties) { _, new in new })
    }

    func makeReader() throws -> any EventLogReader { try makeKafkaReader() }

    func makeKafkaReader(_ properties: [String: String] = [:]) throws -> KafkaEventReader {
        try KafkaEventReader(
            brokers: brokers, topic: Self.topic, group: "tollgate",
            properties: Self.readerProperties.merging(properties) { _, new in new })
    }

    /// Everything in the log, without joining the group.
    func replayed() async throws -> [SeenRecord] {
        try await OwnedThread.run {
            Result {
                let reader = try self.makeKafkaReader()
                defer { reader.close() }
                var records: [SeenRecord] = []
                try reader.replay { records.append(SeenRecord($0, $1, $2)) }
                return records
            }
        }.get()
    }
}

/// The same cluster, read with other properties.
struct KafkaVariant: EventLogFixture {
    let base: KafkaFixture
    var readerProperties: [String: String] = [:]
    func makeWriter() throws -> any EventLogWriter { try base.makeWriter() }
    func makeReader() throws -> any EventLogReader { try base.makeKafkaReader(readerProperties) }
}
