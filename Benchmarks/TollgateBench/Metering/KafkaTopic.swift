import CLibrdkafka
import Foundation
import KafkaClient
import Synchronization

/// A topic of the mock cluster, filled with a workload before anything is measured.
final class KafkaTopic {
    static let name = "usage-events"
    static let partitionCount = 64
    let cluster: MockCluster
    private let load: Workload

    /// The mock answers an empty fetch only after the full wait, hence the short one.
    static let readerProperties = [
        "fetch.wait.max.ms": "10", "session.timeout.ms": "6000", "heartbeat.interval.ms": "500",
    ]

    init(_ load: Workload) throws {
        self.load = load
        cluster = try MockCluster(brokers: 1)
        try cluster.createTopic(Self.name, partitions: Self.partitionCount)
    }

    /// Large batches: the mock hands out one batch per partition and fetch.
    func fill() throws {
        let counts = DeliveryCounts()
        let producer = try KafkaProducer(
            topic: Self.name,
            configuration: KafkaConfiguration.producerDefaults.overridden(by: [
                "bootstrap.servers": cluster.bootstrapServers, "linger.ms": "500",
                "queue.buffering.max.messages": "400000",
                "queue.buffering.max.kbytes": "262144",
                "batch.num.messages": "5000",
            ]),
            onDelivery: { delivery in
                if delivery.error == nil {
                    counts.delivered.add(1, ordering: .relaxed)
                } else {
                    counts.failed.add(1, ordering: .relaxed)
                }
            })
        var event = 0
        while event < load.count {
            let last = min(event + 10_000, load.count)
            let reached = try producer.withSender { sender in
                for index in event..<last {
                    let value = Array(load.bytes[load.event(index)])
                    let refusal = sender.send(
                        id: UInt64(index), key: "\(load.subjects[index])", headers: [],
                        value: value)
                    if refusal != nil { return index }
                }
                return last
            }
            if reached < last { usleep(10_000) }
            event = reached
        }
        while counts.delivered.load(ordering: .relaxed) + counts.failed.load(ordering: .relaxed)
            < load.count
        { usleep(10_000) }
        let closed = DispatchSemaphore(value: 0)
        producer.close(withinMilliseconds: 5_000) { closed.signal() }
        closed.wait()
        guard counts.failed.load(ordering: .relaxed) == 0 else {
            throw BenchmarkFailure("the mock cluster refused records")
        }
    }

    private final class DeliveryCounts: Sendable {
        let delivered = Atomic<Int>(0)
        let failed = Atomic<Int>(0)
    }

    /// The yardstick: librdkafka alone, every record polled and destroyed.
    /// - Returns: events per second, from the poll that brought the first record to the last one.
    func drainBare() throws -> Double {
        let properties = KafkaConfiguration.consumerDefaults.overridden(by: Self.readerProperties)
            .overridden(by: [
                "bootstrap.servers": cluster.bootstrapServers, "group.id": "bare",
            ]).properties
        // SAFETY (all of this function): librdkafka takes the configuration over when it makes the
        // handle; handle and list are destroyed here, after their last use.
        let configuration = unsafe rd_kafka_conf_new()
        var reason = [CChar](repeating: 0, count: 256)
        for (name, value) in properties {
            guard
                unsafe rd_kafka_conf_set(configuration, name, value, &reason, reason.count)
                    == RD_KAFKA_CONF_OK
            else { throw BenchmarkFailure("librdkafka refuses \(name)") }
        }
        guard
            let handle = unsafe rd_kafka_new(
                RD_KAFKA_CONSUMER, configuration, &reason, reason.count),
            let list = unsafe rd_kafka_topic_partition_list_new(Int32(Self.partitionCount))
        else { throw BenchmarkFailure("librdkafka gives no consumer") }
        defer {
            unsafe rd_kafka_topic_partition_list_destroy(list)
            unsafe rd_kafka_consumer_close(handle)
            unsafe rd_kafka_destroy(handle)
        }
        unsafe rd_kafka_poll_set_consumer(handle)
        for partition in 0..<Int32(Self.partitionCount) {
            unsafe rd_kafka_topic_partition_list_add(list, Self.name, partition).pointee.offset = 0
        }
        var start = Measure.nowNanoseconds()
        unsafe rd_kafka_assign(handle, list)
        var count = 0
        var idle = 0
        while count < load.count {
            guard let message = unsafe rd_kafka_consumer_poll(handle, 100) else {
                idle += 1
                if count == 0 { start = Measure.nowNanoseconds() }
                if idle > 100 { throw BenchmarkFailure("only \(count) records came back") }
                continue
            }
            if unsafe message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR { count += 1 }
            unsafe rd_kafka_message_destroy(message)
        }
        return Double(count) / Double(Measure.nowNanoseconds() - start) * 1e9
    }
}
