import CLibrdkafka

/// The first offset that a partition still has and the one after its last readable record.
package struct KafkaWatermarks: Sendable, Hashable {
    package var low: Int64
    package var high: Int64
    package init(low: Int64, high: Int64) {
        self.low = low
        self.high = high
    }
}

extension KafkaConsumer {
    /// Asks the partition's leader; waits for its answer.
    package func queryWatermarks(
        of partition: Int32, timeoutMilliseconds: Int
    ) throws(KafkaError) -> KafkaWatermarks {
        var low: Int64 = 0
        var high: Int64 = 0
        // SAFETY: the handle is live and both results are locals.
        let code = unsafe rd_kafka_query_watermark_offsets(
            handle.raw, topic, partition, &low, &high, Int32(clamping: timeoutMilliseconds))
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            throw failure("ask for the bounds of partition \(partition) of \"\(topic)\"", code)
        }
        return KafkaWatermarks(low: low, high: high)
    }

    /// The bounds as the last fetch told them; nil before the first one. Never waits.
    package func cachedWatermarks(of partition: Int32) -> KafkaWatermarks? {
        var low: Int64 = 0
        var high: Int64 = 0
        // SAFETY: the handle is live and both results are locals.
        let code = unsafe rd_kafka_get_watermark_offsets(
            handle.raw, topic, partition, &low, &high)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR, high >= 0 else { return nil }
        return KafkaWatermarks(low: low, high: high)
    }

    /// Tells the group how far its reader is. Does not wait and does not report a failure: lag
    /// tools read it, nothing else depends on it.
    package func commitAsynchronously(_ nextOffsets: [Int32: Int64]) {
        guard !isClosed, !nextOffsets.isEmpty else { return }
        let list = PartitionList(topic)
        for (partition, offset) in nextOffsets { list.add(partition: partition, offset: offset) }
        // SAFETY: the handle is live; librdkafka copies the list.
        _ = unsafe rd_kafka_commit(handle.raw, list.raw, 1)
    }

    /// What the group has committed for `partitions`; none where there is nothing.
    package func committedOffsets(
        of partitions: [Int32], timeoutMilliseconds: Int
    ) throws(KafkaError) -> [Int32: Int64] {
        let list = PartitionList(topic)
        for partition in partitions { list.add(partition: partition) }
        // SAFETY: the handle is live; librdkafka writes into the list's own elements.
        let code = unsafe rd_kafka_committed(
            handle.raw, list.raw, Int32(clamping: timeoutMilliseconds))
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            throw failure("ask for committed offsets of \"\(topic)\"", code)
        }
        var offsets: [Int32: Int64] = [:]
        for index in 0..<(unsafe Int(list.raw.pointee.cnt)) {
            let element = unsafe list.raw.pointee.elems[index]
            if unsafe element.offset >= 0 {
                unsafe offsets[element.partition] = element.offset
            }
        }
        return offsets
    }
}
