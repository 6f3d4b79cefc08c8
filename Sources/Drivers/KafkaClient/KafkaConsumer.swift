import CLibrdkafka

/// Where a record stands in its topic.
package struct KafkaRecordInfo: Sendable, Hashable {
    package var partition: Int32
    package var offset: Int64
    /// Milliseconds since 1970, as the producer or the broker set it; −1 when there is none.
    package var timestampMilliseconds: Int64
    /// True for a record without a value; its value span is empty.
    package var isNull: Bool
}

/// What else than records a consumer meets.
package enum KafkaConsumerEvent: Sendable {
    /// Everything before `nextOffset` was read (only with `enable.partition.eof=true`).
    case endOfPartition(Int32, nextOffset: Int64)
    /// Something went wrong, with one partition or, when it is nil, with the client.
    case failure(KafkaError, partition: Int32?)
}

/// Is asked where to read, and told when to stop. Called by the thread that drains or closes, from
/// inside those calls; it may query and commit, but neither drain nor close.
package protocol KafkaRebalanceHandler: AnyObject {
    /// - Returns: the offset to read first, for each partition that is to be read now.
    func partitionsAssigned(_ partitions: [Int32], to consumer: KafkaConsumer) -> [Int32: Int64]
    /// Called before another member may read them; when `isLost` another one may do so already.
    func partitionsRevoked(
        _ partitions: [Int32], isLost: Bool, from consumer: KafkaConsumer)
}

/// Reads one topic. Owned by one thread, which makes every call; librdkafka's own threads fetch
/// ahead into its bounded queue, which is all the back-pressure there is.
///
/// Records come one by one: the batch calls of librdkafka 2.0.2 lose records around a rebalance.
/// No lock of ours is taken and nothing is allocated per record.
@safe
package final class KafkaConsumer {
    package let topic: String
    package weak var rebalanceHandler: (any KafkaRebalanceHandler)?
    package private(set) var isClosed = false

    let handle: KafkaHandle
    /// By partition: the offset expected next, or −1 when the partition is not being read.
    var nextOffsets: [Int64] = []
    private var headers = HeaderScratch()
    private var events: [KafkaConsumerEvent] = []

    private static let queuedEventsMax = 256

    /// Starts the client's threads; connects when it is told what to read.
    /// - Throws: a `KafkaError` naming the property when one is wrong.
    package init(
        topic: String, configuration: KafkaConfiguration, log: KafkaLogSink? = nil
    ) throws(KafkaError) {
        self.topic = topic
        let context = CallbackContext(log: log)
        handle = try KafkaHandle(.consumer, configuration, context: context)
        context.onError = { [weak self] error in
            self?.clientFailed(error)
        }
        unsafe context.onRebalance = { [weak self] code, list in
            unsafe self?.rebalance(code, list)
        }
        // SAFETY: the handle is live. Sends the client's own events to the consumer's queue, so
        // that draining serves them too.
        _ = unsafe rd_kafka_poll_set_consumer(handle.raw)
    }

    /// Joins the group `group.id` for the topic; partitions come while draining.
    package func subscribe() throws(KafkaError) {
        let list = PartitionList(topic)
        list.add(partition: RD_KAFKA_PARTITION_UA)
        // SAFETY: the handle is live; librdkafka copies the list.
        let code = unsafe rd_kafka_subscribe(handle.raw, list.raw)
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            throw failure("subscribe to \"\(topic)\"", code)
        }
    }

    /// Hands over records, waiting for the first one only.
    ///
    /// Stops early at an event, which `nextEvent` then tells. The spans are valid only inside
    /// `body`; `headers` has the form described in the module's page. A record below the next
    /// expected offset of its partition is dropped: after a seek 2.0.2 can deliver a stale fetch.
    /// - Returns: how many records were handed over.
    package func drain(
        maxRecords: Int, timeoutMilliseconds: Int,
        _ body: (
            _ info: KafkaRecordInfo, _ key: RawSpan, _ headers: RawSpan, _ value: RawSpan
        ) -> Void
    ) -> Int {
        guard !isClosed else { return 0 }
        var count = 0
        var wait = Int32(clamping: max(0, timeoutMilliseconds))
        while count < maxRecords {
            // SAFETY: the handle is live; the message is ours until destroyed at the end of the
            // round, after every use of its bytes.
            guard let message = unsafe rd_kafka_consumer_poll(handle.raw, wait) else { break }
            defer { unsafe rd_kafka_message_destroy(message) }
            wait = 0
            guard unsafe message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR else {
                unsafe noteFailure(message)
                break
            }
            let partition = unsafe Int(message.pointee.partition)
            let offset = unsafe message.pointee.offset
            guard partition < nextOffsets.count, nextOffsets[partition] >= 0,
                offset >= nextOffsets[partition]
            else { continue }
            nextOffsets[partition] = offset + 1
            unsafe handOver(message, body)
            count += 1
        }
        return count
    }

    /// The oldest event not told yet.
    package func nextEvent() -> KafkaConsumerEvent? {
        events.isEmpty ? nil : events.removeFirst()
    }

    /// The offset expected next; nil when the partition is not being read.
    package func nextOffset(of partition: Int32) -> Int64? {
        let index = Int(partition)
        guard nextOffsets.indices.contains(index), nextOffsets[index] >= 0 else { return nil }
        return nextOffsets[index]
    }

    @inline(__always)
    private func handOver(
        _ message: UnsafeMutablePointer<rd_kafka_message_t>,
        _ body: (KafkaRecordInfo, RawSpan, RawSpan, RawSpan) -> Void
    ) {
        var timestampType = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
        // SAFETY: the caller keeps the message alive until `body` is back; lengths are
        // librdkafka's. A NULL key or value has length 0.
        let info = unsafe KafkaRecordInfo(
            partition: message.pointee.partition, offset: message.pointee.offset,
            timestampMilliseconds: rd_kafka_message_timestamp(message, &timestampType),
            isNull: message.pointee.payload == nil)
        let headerCount = unsafe headers.fill(from: message)
        let key = unsafe UnsafeRawBufferPointer(
            start: message.pointee.key,
            count: message.pointee.key == nil ? 0 : message.pointee.key_len)
        let flat = unsafe UnsafeRawBufferPointer(
            start: headers.storage.baseAddress, count: headerCount)
        let value = unsafe UnsafeRawBufferPointer(
            start: message.pointee.payload, count: info.isNull ? 0 : message.pointee.len)
        unsafe body(info, key.bytes, flat.bytes, value.bytes)
    }

    private func noteFailure(_ message: UnsafeMutablePointer<rd_kafka_message_t>) {
        // SAFETY: the caller keeps the message alive.
        let code = unsafe message.pointee.err
        let partition = unsafe message.pointee.partition
        if code == RD_KAFKA_RESP_ERR__PARTITION_EOF {
            let offset = unsafe message.pointee.offset
            return note(.endOfPartition(partition, nextOffset: offset))
        }
        let detail = unsafe rd_kafka_message_errstr(message).asText
        let error = KafkaError(
            code: KafkaErrorCode(code), attempt: "read \"\(topic)\"", detail: detail)
        note(.failure(error, partition: partition < 0 ? nil : partition))
    }

    private func clientFailed(_ error: KafkaError) {
        let fatal = error.kind == .fatal ? handle.fatalError : nil
        guard let fatal else { return note(.failure(error, partition: nil)) }
        let told = KafkaError(
            code: .fatal, attempt: fatal.attempt,
            detail: "\(fatal.detail) (\(fatal.code))")
        note(.failure(told, partition: nil))
    }

    func note(_ event: KafkaConsumerEvent) {
        // What repeats while nobody asks is the client's complaint about dead brokers; a
        // partition's own failure comes once and has to be kept.
        if events.count >= Self.queuedEventsMax, case .failure(_, partition: nil) = event {
            return
        }
        events.append(event)
    }

    func failure(_ attempt: String, _ code: rd_kafka_resp_err_t) -> KafkaError {
        KafkaError(code: KafkaErrorCode(code), attempt: attempt)
    }

    func markClosed() {
        isClosed = true
        nextOffsets.removeAll()
    }
}
