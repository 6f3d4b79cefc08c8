import CLibrdkafka

/// librdkafka's own broker stand-in, in this process, on loopback sockets. For tests and
/// benchmarks; any number of clients and processes may use it.
///
/// Its limits (2.0.2): 5 MiB and 100,000 batches per partition, older ones vanish; records of
/// aborted transactions stay visible; a retried idempotent batch is stored twice; a first join of
/// a group takes about three seconds; topics asked for come to be with four partitions.
@safe
package final class MockCluster: @unchecked Sendable {
    /// Kinds of requests that can be made to fail.
    package enum Request: Int16, Sendable {
        case produce = 0
        case fetch = 1
        case listOffsets = 2
        case metadata = 3
        case findCoordinator = 10
        case joinGroup = 11
        case heartbeat = 12
    }

    /// `host:port` pairs for `bootstrap.servers`.
    package let bootstrapServers: String

    private let host: KafkaHandle
    private let cluster: OpaquePointer

    /// Brokers are numbered from 1.
    package init(brokers: Int = 1) throws(KafkaError) {
        host = try KafkaHandle(
            .producer, KafkaConfiguration(["client.id": "mock-host"]),
            context: CallbackContext(log: nil))
        // SAFETY: the cluster is destroyed before its host, in deinit.
        guard let made = unsafe rd_kafka_mock_cluster_new(host.raw, Int32(brokers)),
            let addresses = unsafe rd_kafka_mock_cluster_bootstraps(made)
        else { throw KafkaError(code: .noResources, attempt: "start a mock cluster") }
        unsafe cluster = made
        bootstrapServers = unsafe String(cString: addresses)
    }

    deinit {
        // SAFETY: the last use of the cluster, while its host still lives.
        unsafe rd_kafka_mock_cluster_destroy(cluster)
        _ = host.destroy(withinMilliseconds: 5_000)
    }

    package func createTopic(
        _ name: String, partitions: Int, replicas: Int = 1
    ) throws(KafkaError) {
        // SAFETY (here and below): the cluster is live and serialises what it is asked.
        try check(
            "create topic \"\(name)\"",
            unsafe rd_kafka_mock_topic_create(
                cluster, name, Int32(partitions), Int32(replicas)))
    }

    /// Makes metadata requests answer with `code` for the topic.
    package func setError(_ code: KafkaErrorCode, forTopic name: String) {
        unsafe rd_kafka_mock_topic_set_error(cluster, name, code.native)
    }

    /// Closes the broker's connections and refuses new ones; −1 for all brokers.
    package func takeDown(broker: Int32 = -1) throws(KafkaError) {
        try check("stop a broker", unsafe rd_kafka_mock_broker_set_down(cluster, broker))
    }

    package func bringUp(broker: Int32 = -1) throws(KafkaError) {
        try check("start a broker", unsafe rd_kafka_mock_broker_set_up(cluster, broker))
    }

    /// Delays the broker's answers; what they acknowledge has happened before. −1 for all brokers.
    package func setRoundTrip(milliseconds: Int, broker: Int32 = -1) throws(KafkaError) {
        try check(
            "delay a broker",
            unsafe rd_kafka_mock_broker_set_rtt(cluster, broker, Int32(milliseconds)))
    }

    /// Moves a partition; nil leaves it without a leader.
    package func setLeader(
        _ broker: Int32?, ofPartition partition: Int32, topic: String
    ) throws(KafkaError) {
        try check(
            "move a partition",
            unsafe rd_kafka_mock_partition_set_leader(cluster, topic, partition, broker ?? -1))
    }

    /// Has a broker coordinate the group. It must be one of the cluster's: 2.0.2 ends the process
    /// when a client asks for a coordinator that is not there.
    package func setCoordinator(
        _ broker: Int32, ofGroup group: String
    ) throws(KafkaError) {
        try check(
            "move a group",
            unsafe rd_kafka_mock_coordinator_set(cluster, "group", group, broker))
    }

    /// The next requests of this kind fail with these codes, in this order, before they have any
    /// effect; `transport` closes the connection.
    package func failNext(_ request: Request, with codes: [KafkaErrorCode]) {
        var native = codes.map(\.native)
        unsafe rd_kafka_mock_push_request_errors_array(
            cluster, request.rawValue, native.count, &native)
    }

    private func check(_ attempt: String, _ code: rd_kafka_resp_err_t) throws(KafkaError) {
        guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return }
        throw KafkaError(code: KafkaErrorCode(code), attempt: "\(attempt) of the mock cluster")
    }
}
