import CLibrdkafka

/// Owns an `rd_kafka_topic_partition_list_t` of one topic.
@safe
final class PartitionList {
    let raw: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>
    private let topic: String

    init(_ topic: String) {
        self.topic = topic
        // SAFETY: librdkafka aborts rather than answering NULL; freed in deinit.
        unsafe raw = rd_kafka_topic_partition_list_new(16)
    }

    deinit {
        // SAFETY: owned by self alone; librdkafka copies lists that it is given.
        unsafe rd_kafka_topic_partition_list_destroy(raw)
    }

    func add(partition: Int32, offset: Int64? = nil) {
        // SAFETY: the list is live; the element stays valid until the next add.
        guard let element = unsafe rd_kafka_topic_partition_list_add(raw, topic, partition) else {
            return
        }
        if let offset { unsafe element.pointee.offset = offset }
    }

    /// The partitions of `topic` in somebody else's list, in ascending order.
    static func partitions(
        of topic: String, in list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?
    ) -> [Int32] {
        guard let list = unsafe list else { return [] }
        var partitions: [Int32] = []
        // SAFETY: the list is live for the callback that got it; `cnt` elements are set.
        for index in 0..<(unsafe Int(list.pointee.cnt)) {
            let element = unsafe list.pointee.elems[index]
            if unsafe String(cString: element.topic) == topic {
                unsafe partitions.append(element.partition)
            }
        }
        return partitions.sorted()
    }
}
