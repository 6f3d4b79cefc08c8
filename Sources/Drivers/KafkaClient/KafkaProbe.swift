import CLibrdkafka

/// What the brokers say about a topic.
package struct KafkaTopicDescription: Sendable, Hashable {
    package struct Partition: Sendable, Hashable {
        package var number: Int32
        package var hasLeader: Bool
        package var replicaCount: Int
        package var inSyncReplicaCount: Int
    }
    package var brokerCount: Int
    /// Nil when the topic exists and may be read.
    package var problem: KafkaErrorCode?
    package var partitions: [Partition]
}

/// Asks a cluster about itself, for start-up checks. Every call blocks up to its time limit: use a
/// thread of your own. It joins no group and creates no topic.
@safe
package final class KafkaProbe: Sendable {
    private let handle: KafkaHandle

    package init(
        configuration: KafkaConfiguration, log: KafkaLogSink? = nil
    ) throws(KafkaError) {
        handle = try KafkaHandle(
            .consumer, configuration, context: CallbackContext(log: log))
    }

    /// Frees the client.
    package func close() {
        _ = handle.destroy(withinMilliseconds: 5_000)
    }

    package func describe(
        topic name: String, timeoutMilliseconds: Int
    ) throws(KafkaError) -> KafkaTopicDescription {
        let attempt = "ask the brokers about topic \"\(name)\""
        // SAFETY: the topic is destroyed before the handle, the metadata before the return.
        guard let topic = unsafe rd_kafka_topic_new(handle.raw, name, nil) else {
            throw KafkaError(code: .invalidArgument, attempt: attempt)
        }
        defer { unsafe rd_kafka_topic_destroy(topic) }
        var answer: UnsafePointer<rd_kafka_metadata>?
        let code = unsafe rd_kafka_metadata(
            handle.raw, 0, topic, &answer, Int32(clamping: timeoutMilliseconds))
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let metadata = unsafe answer else {
            throw KafkaError(code: KafkaErrorCode(code), attempt: attempt)
        }
        defer { unsafe rd_kafka_metadata_destroy(metadata) }
        var description = KafkaTopicDescription(
            brokerCount: unsafe Int(metadata.pointee.broker_cnt), problem: .unknownTopic,
            partitions: [])
        guard unsafe metadata.pointee.topic_cnt > 0 else { return description }
        let told = unsafe metadata.pointee.topics[0]
        let problem = unsafe told.err
        description.problem =
            problem == RD_KAFKA_RESP_ERR_NO_ERROR ? nil : KafkaErrorCode(problem)
        for index in 0..<(unsafe Int(told.partition_cnt)) {
            let partition = unsafe told.partitions[index]
            description.partitions.append(
                unsafe .init(
                    number: partition.id, hasLeader: partition.leader >= 0,
                    replicaCount: Int(partition.replica_cnt),
                    inSyncReplicaCount: Int(partition.isr_cnt)))
        }
        description.partitions.sort { $0.number < $1.number }
        return description
    }

    /// The topic's effective settings by name, with the broker's defaults where it has none of
    /// its own.
    /// - Throws: `unsupported`, `denied` and so on when the brokers do not tell them.
    package func settings(
        ofTopic name: String, timeoutMilliseconds: Int
    ) throws(KafkaError) -> [String: String] {
        let limit = Int32(clamping: timeoutMilliseconds)
        // SAFETY: everything made here is destroyed here, the queue last, before the handle.
        guard let queue = unsafe rd_kafka_queue_new(handle.raw),
            let options = unsafe rd_kafka_AdminOptions_new(
                handle.raw, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS)
        else { throw settingsFailure(name, RD_KAFKA_RESP_ERR__CRIT_SYS_RESOURCE) }
        defer { unsafe rd_kafka_queue_destroy(queue) }
        defer { unsafe rd_kafka_AdminOptions_destroy(options) }
        var text = [CChar](repeating: 0, count: 128)
        _ = unsafe rd_kafka_AdminOptions_set_request_timeout(options, limit, &text, text.count)
        guard let resource = unsafe rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name)
        else { throw settingsFailure(name, RD_KAFKA_RESP_ERR__INVALID_ARG) }
        defer { unsafe rd_kafka_ConfigResource_destroy(resource) }
        var resources: [OpaquePointer?] = unsafe [resource]
        unsafe rd_kafka_DescribeConfigs(handle.raw, &resources, 1, options, queue)
        guard let event = unsafe rd_kafka_queue_poll(queue, limit &+ 1_000) else {
            throw settingsFailure(name, RD_KAFKA_RESP_ERR__TIMED_OUT)
        }
        defer { unsafe rd_kafka_event_destroy(event) }
        let code = unsafe rd_kafka_event_error(event)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw settingsFailure(name, code) }
        return try unsafe readSettings(name, event)
    }

    private func readSettings(
        _ name: String, _ event: OpaquePointer
    ) throws(KafkaError) -> [String: String] {
        var count = 0
        // SAFETY: all pointers belong to `event`, which the caller keeps alive.
        guard let result = unsafe rd_kafka_event_DescribeConfigs_result(event),
            let resources = unsafe rd_kafka_DescribeConfigs_result_resources(result, &count),
            count > 0, let resource = unsafe resources[0]
        else { return [:] }
        let code = unsafe rd_kafka_ConfigResource_error(resource)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw settingsFailure(name, code) }
        guard let entries = unsafe rd_kafka_ConfigResource_configs(resource, &count) else {
            return [:]
        }
        var settings: [String: String] = [:]
        for index in 0..<count {
            guard let entry = unsafe entries[index] else { continue }
            // Values that the broker holds to be sensitive come as NULL.
            let value = unsafe rd_kafka_ConfigEntry_value(entry)
            if unsafe (value != nil) {
                unsafe settings[rd_kafka_ConfigEntry_name(entry).asText] = value.asText
            }
        }
        return settings
    }

    private func settingsFailure(_ name: String, _ code: rd_kafka_resp_err_t) -> KafkaError {
        KafkaError(
            code: KafkaErrorCode(code), attempt: "ask for the settings of topic \"\(name)\"")
    }
}
