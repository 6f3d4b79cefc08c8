import CLibrdkafka

extension KafkaConsumer {
    /// Reads exactly these partitions from these offsets on, in place of what was read before.
    /// Inside a rebalance the handler's answer does this; at other times the owner may.
    package func assign(_ starts: [Int32: Int64]) throws(KafkaError) {
        let list = PartitionList(topic)
        for (partition, offset) in starts.sorted(by: { $0.key < $1.key }) {
            list.add(partition: partition, offset: offset)
        }
        // SAFETY: the handle is live; librdkafka copies the list. What it fetched for the old
        // assignment is outdated by this call and never delivered.
        let code = unsafe rd_kafka_assign(handle.raw, list.raw)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            throw failure("take partitions of \"\(topic)\"", code)
        }
        nextOffsets = Self.table(starts)
    }

    /// By partition number, −1 where nothing is read.
    private static func table(_ starts: [Int32: Int64]) -> [Int64] {
        guard let last = starts.keys.max(), last >= 0 else { return [] }
        var table = [Int64](repeating: -1, count: Int(last) + 1)
        for (partition, offset) in starts where partition >= 0 { table[Int(partition)] = offset }
        return table
    }

    /// Runs on the owner's thread, inside `drain` or `close`.
    func rebalance(
        _ code: rd_kafka_resp_err_t, _ list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?
    ) {
        let partitions = unsafe PartitionList.partitions(of: topic, in: list)
        switch code {
        case RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS:
            let starts = rebalanceHandler?.partitionsAssigned(partitions, to: self) ?? [:]
            do throws(KafkaError) {
                try assign(starts)
            } catch {
                note(.failure(error, partition: nil))
                unassign()
            }
        case RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS:
            // SAFETY: the handle is live; the answer is meant to be asked for in this callback.
            let isLost = unsafe rd_kafka_assignment_lost(handle.raw) != 0
            rebalanceHandler?.partitionsRevoked(partitions, isLost: isLost, from: self)
            unassign()
        default:
            note(.failure(failure("rebalance", code), partition: nil))
            unassign()
        }
    }

    /// Lets the group go on: it waits for this after every revocation.
    private func unassign() {
        // SAFETY: the handle is live; NULL stands for "nothing".
        let code = unsafe rd_kafka_assign(handle.raw, nil)
        nextOffsets.removeAll()
        if code != RD_KAFKA_RESP_ERR_NO_ERROR {
            note(.failure(failure("give partitions up", code), partition: nil))
        }
    }

    /// Leaves the group, having told the handler to flush, and frees the client. Idempotent.
    ///
    /// Never hangs: when librdkafka has not let go after `timeoutMilliseconds` (2.0.2 may block
    /// for ever once an assignment was lost), the rest is left to a thread that may never end and
    /// the broker drops the member after its session timeout.
    /// - Returns: whether everything was done in time.
    @discardableResult
    package func close(timeoutMilliseconds: Int = 10_000) -> Bool {
        guard !isClosed else { return true }
        let clock = ContinuousClock()
        let deadline = clock.now.advanced(by: .milliseconds(timeoutMilliseconds))
        let hasLeft = leaveGroup(until: deadline)
        markClosed()
        let rest = clock.now.duration(to: deadline).wholeMilliseconds
        return handle.destroy(withinMilliseconds: max(1_000, rest)) && hasLeft
    }

    private func leaveGroup(until deadline: ContinuousClock.Instant) -> Bool {
        // SAFETY: the queue is destroyed before the handle, and each event before its queue.
        guard let queue = unsafe rd_kafka_queue_new(handle.raw) else { return false }
        defer { unsafe rd_kafka_queue_destroy(queue) }
        if let error = unsafe rd_kafka_consumer_close_queue(handle.raw, queue) {
            // Without a group there is nothing to leave.
            unsafe rd_kafka_error_destroy(error)
            return true
        }
        while unsafe rd_kafka_consumer_closed(handle.raw) == 0 {
            guard ContinuousClock().now < deadline else { return false }
            guard let event = unsafe rd_kafka_queue_poll(queue, 50) else { continue }
            if unsafe rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE {
                unsafe rebalance(
                    rd_kafka_event_error(event), rd_kafka_event_topic_partition_list(event))
            }
            unsafe rd_kafka_event_destroy(event)
        }
        return true
    }
}

extension Duration {
    /// Rounded towards zero.
    var wholeMilliseconds: Int {
        let (seconds, attoseconds) = components
        return Int(clamping: seconds) &* 1_000 &+ Int(attoseconds / 1_000_000_000_000_000)
    }
}
