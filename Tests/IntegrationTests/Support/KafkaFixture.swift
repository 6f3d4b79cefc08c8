import KafkaClient
import Synchronization

/// A mock cluster in this process with the topic of usage events and that of alerts.
final class KafkaFixture: Sendable {
    static let topic = "usage"
    static let alertsTopic = "alerts"
    static let group = "tollgate"
    /// With two brokers: the one that leads what `createTopic(_:partitions:on:)` puts there, and
    /// has nothing else to do.
    static let far: Int32 = 2

    let cluster: MockCluster
    private let producer: KafkaProducer
    private let reports: Reports
    private let nextID = Atomic<UInt64>(0)

    struct Position: Hashable, Sendable {
        var partition: Int32
        var offset: Int64
    }

    private final class Reports: Sendable {
        let positions = Mutex<[UInt64: Position]>([:])
        let failure = Mutex<String?>(nil)
    }

    init(partitions: Int, brokers: Int = 1) throws {
        cluster = try MockCluster(brokers: brokers)
        try cluster.createTopic(Self.topic, partitions: partitions, on: 1)
        try cluster.createTopic(Self.alertsTopic, partitions: 1, on: 1)
        try cluster.setCoordinator(1, ofGroup: Self.group)
        let reports = Reports()
        self.reports = reports
        producer = try KafkaProducer(
            topic: Self.topic,
            configuration: KafkaConfiguration.producerDefaults.overridden(by: [
                "bootstrap.servers": cluster.bootstrapServers
            ])
        ) { delivery in
            if let error = delivery.error {
                reports.failure.withLock { $0 = "record \(delivery.id): \(error)" }
            }
            reports.positions.withLock {
                $0[delivery.id] = Position(
                    partition: delivery.partition, offset: delivery.offset)
            }
        }
    }

    /// Flags that suit the mock: it joins slowly, and an empty fetch waits its full time.
    var flags: [String] {
        [
            "--kafka", cluster.bootstrapServers, "--topic", Self.topic, "--group", Self.group,
            "--alerts-topic", Self.alertsTopic, "--kafka-property", "session.timeout.ms=3000",
            "--kafka-property", "heartbeat.interval.ms=100", "--kafka-property",
            "fetch.wait.max.ms=10",
        ]
    }

    struct Record: Sendable {
        var key: String
        var headers: [(name: String, value: String)] = []
        var value: [UInt8]?

        init(key: String, headers: [(String, String)] = [], _ value: String?) {
            self.key = key
            self.headers = headers
            self.value = value.map { Array($0.utf8) }
        }

        /// For each header: UInt16 length, name, UInt32 length, value; little-endian.
        var flatHeaders: [UInt8] {
            var bytes: [UInt8] = []
            for (name, value) in headers {
                for shift in [0, 8] {
                    bytes.append(UInt8(truncatingIfNeeded: name.utf8.count >> shift))
                }
                bytes += Array(name.utf8)
                for shift in [0, 8, 16, 24] {
                    bytes.append(UInt8(truncatingIfNeeded: value.utf8.count >> shift))
                }
                bytes += Array(value.utf8)
            }
            return bytes
        }
    }

    /// Produces in this order and waits for the acknowledgements.
    /// - Returns: where each record stands.
    func produce(_ records: [Record]) async throws -> [Position] {
        let first = nextID.add(UInt64(records.count), ordering: .relaxed).oldValue
        let refused = try producer.withSender { sender -> KafkaError? in
            for (index, record) in records.enumerated() {
                let error = sender.send(
                    id: first + UInt64(index), key: record.key, headers: record.flatHeaders,
                    value: record.value)
                if let error { return error }
            }
            return nil
        }
        if let refused { throw refused }
        return try await eventually("acknowledgements") { () -> [Position]? in
            if let failure = reports.failure.withLock({ $0 }) { throw Unmet(failure) }
            return reports.positions.withLock { known in
                let found = records.indices.compactMap { known[first + UInt64($0)] }
                return found.count == records.count ? found : nil
            }
        }
    }
}

extension MockCluster {
    /// Makes a topic that one broker leads.
    func createTopic(_ name: String, partitions: Int, on broker: Int32) throws {
        try createTopic(name, partitions: partitions)
        for partition in 0..<Int32(partitions) {
            try setLeader(broker, ofPartition: partition, topic: name)
        }
    }
}
