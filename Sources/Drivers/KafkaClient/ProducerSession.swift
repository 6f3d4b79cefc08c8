import CLibrdkafka
import Synchronization

/// One producer handle with its topic: lives until it fails for good or the producer is closed.
/// Sending is safe from any thread as long as nobody destroys; `ProducerCore` sees to that.
@safe
final class ProducerSession: @unchecked Sendable {
    private let handle: KafkaHandle
    private let topic: OpaquePointer
    private let isDestroyed = Atomic(false)

    /// `onDelivery` runs on the thread that polls.
    init(
        topic name: String, _ configuration: KafkaConfiguration, log: KafkaLogSink?,
        onDelivery: @escaping (KafkaDelivery) -> Void
    ) throws(KafkaError) {
        let context = CallbackContext(log: log)
        handle = try KafkaHandle(.producer, configuration, context: context)
        // SAFETY: the handle is live; the topic is destroyed before it. Making it now also
        // fetches its metadata, which would delay the first record otherwise.
        guard let made = unsafe rd_kafka_topic_new(handle.raw, name, nil) else {
            throw KafkaError(
                code: KafkaErrorCode(rd_kafka_last_error()),
                attempt: "use topic \"\(name)\"")
        }
        unsafe topic = made
        context.onDelivery = { [weak handle] delivery in
            var delivery = delivery
            // A broken handle reports the cause of its break, which says nothing of the record.
            if delivery.error != nil, handle?.fatalError != nil { delivery.error = .fatal }
            onDelivery(delivery)
        }
    }

    deinit {
        destroy(withinMilliseconds: 0)
    }

    /// Frees topic and handle, in this order; nothing may be sent or polled any more.
    func destroy(withinMilliseconds limit: Int) {
        guard !isDestroyed.exchange(true, ordering: .acquiringAndReleasing) else { return }
        // SAFETY: the last use of the topic, while its handle still lives.
        unsafe rd_kafka_topic_destroy(topic)
        _ = handle.destroy(withinMilliseconds: limit)
    }

    func send(
        id: UInt64, key: UnsafeRawBufferPointer?, headers: UnsafeRawBufferPointer,
        value: UnsafeRawBufferPointer?
    ) -> KafkaError? {
        let list: OpaquePointer?
        do throws(KafkaError) {
            unsafe list = try unsafe makeHeaderList(headers)
        } catch {
            return error
        }
        // SAFETY: key and value are copied by the call (MSG_F_COPY); the list is librdkafka's
        // once the call succeeds and ours to free when it does not.
        let failure = unsafe withUnsafeTemporaryAllocation(
            of: rd_kafka_vu_t.self, capacity: 6
        ) { fields -> OpaquePointer? in
            unsafe fields.initialize(repeating: rd_kafka_vu_t())
            unsafe fields[0].vtype = RD_KAFKA_VTYPE_RKT
            unsafe fields[0].u.rkt = topic
            unsafe fields[1].vtype = RD_KAFKA_VTYPE_MSGFLAGS
            unsafe fields[1].u.i = RD_KAFKA_MSG_F_COPY
            unsafe fields[2].vtype = RD_KAFKA_VTYPE_OPAQUE
            unsafe fields[2].u.ptr = UnsafeMutableRawPointer(bitPattern: UInt(id))
            var count = 3
            // An empty value needs an address all the same: NULL would make it a null value.
            let anywhere = UnsafeRawPointer(fields.baseAddress)
            if let key = unsafe key {
                unsafe fields[count].vtype = RD_KAFKA_VTYPE_KEY
                unsafe fields[count].u.mem.ptr = .init(mutating: key.baseAddress ?? anywhere)
                unsafe fields[count].u.mem.size = key.count
                count += 1
            }
            if let value = unsafe value {
                unsafe fields[count].vtype = RD_KAFKA_VTYPE_VALUE
                unsafe fields[count].u.mem.ptr = .init(mutating: value.baseAddress ?? anywhere)
                unsafe fields[count].u.mem.size = value.count
                count += 1
            }
            if let list = unsafe list {
                unsafe fields[count].vtype = RD_KAFKA_VTYPE_HEADERS
                unsafe fields[count].u.headers = list
                count += 1
            }
            return unsafe rd_kafka_produceva(handle.raw, fields.baseAddress, count)
        }
        guard let failure = unsafe failure else { return nil }
        if let list = unsafe list { unsafe rd_kafka_headers_destroy(list) }
        defer { unsafe rd_kafka_error_destroy(failure) }
        let isFatal = unsafe rd_kafka_error_is_fatal(failure) != 0
        return unsafe KafkaError(
            code: isFatal ? .fatal : KafkaErrorCode(rd_kafka_error_code(failure)),
            attempt: "send a record", detail: rd_kafka_error_string(failure).asText)
    }

    /// Runs delivery reports that have come, waiting for the first one.
    func poll(timeoutMilliseconds: Int32) {
        // SAFETY: the handle is live.
        _ = unsafe rd_kafka_poll(handle.raw, timeoutMilliseconds)
    }

    var fatalError: KafkaError? { handle.fatalError }

    /// Makes the handle fail for good, as a broken sequence would. For tests.
    func failFatally(_ code: KafkaErrorCode) {
        // SAFETY: the handle is live; the call exists for tests.
        _ = unsafe rd_kafka_test_fatal_error(handle.raw, code.native, "asked for by a test")
    }

    /// Sends what is queued, then gives up the rest: after this every record has its report.
    func finish(withinMilliseconds limit: Int) {
        // SAFETY: the handle is live; both calls run reports on this thread.
        if limit > 0 {
            _ = unsafe rd_kafka_flush(handle.raw, Int32(clamping: limit))
        }
        _ = unsafe rd_kafka_purge(handle.raw, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT)
        let clock = ContinuousClock()
        let deadline = clock.now.advanced(by: .seconds(2))
        while unsafe rd_kafka_outq_len(handle.raw) > 0, clock.now < deadline {
            poll(timeoutMilliseconds: 20)
        }
    }
}
