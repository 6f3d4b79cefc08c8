import Synchronization

/// Sends records to one topic. Any thread may send; a thread of its own runs the reports.
///
/// When librdkafka gives a handle up for good (a broken idempotence sequence in 2.0.2), every
/// record still under way is reported with its persistence, and a new handle takes over.
package final class KafkaProducer: Sendable {
    private let core: ProducerCore

    /// - Parameter onDelivery: is told once about every record that `send` took. Runs on the
    ///   producer's thread and must not block.
    package init(
        topic: String, configuration: KafkaConfiguration, log: KafkaLogSink? = nil,
        onDelivery: @escaping @Sendable (KafkaDelivery) -> Void
    ) throws(KafkaError) {
        core = try ProducerCore(
            topic: topic, configuration: configuration, log: log, onDelivery: onDelivery)
        let core = core
        guard OwnedThread.start({ core.run() }) else {
            throw KafkaError(code: .noResources, attempt: "start the producer's thread")
        }
    }

    deinit {
        core.close(withinMilliseconds: 0) {}
    }

    /// Calls `body` once with something to send records with; their order is kept. `body` must
    /// not block: others who send wait for it.
    package func withSender<Result>(
        _ body: (borrowing KafkaSender) -> Result
    ) throws(KafkaError) -> Result {
        try core.withSender(body)
    }

    /// Takes no more records, waits up to the limit for those under way, gives up the rest, and
    /// then calls `whenClosed` once, on the producer's thread. Idempotent.
    package func close(
        withinMilliseconds limit: Int, whenClosed: @escaping @Sendable () -> Void
    ) {
        core.close(withinMilliseconds: limit, whenClosed)
    }

    /// How many handles have been replaced.
    package var replacementCount: Int { core.replacementCount.load(ordering: .relaxed) }

    /// Makes the present handle fail for good. For tests.
    package func failFatally() {
        core.failFatally()
    }
}

/// Sends records while `KafkaProducer.withSender` lasts.
package struct KafkaSender: ~Copyable {
    private let session: ProducerSession

    init(_ session: ProducerSession) { self.session = session }

    /// Queues a copy of the record. Never waits.
    /// - Parameters:
    ///   - id: comes back in the report.
    ///   - key: records with equal keys stay in order in one partition; nil for any partition.
    ///   - headers: in the byte form of the module's page.
    ///   - value: nil for a record without a value.
    /// - Returns: nil when it was taken and a report will come; otherwise why not.
    package func send(
        id: UInt64, key: String?, headers: [UInt8], value: [UInt8]?
    ) -> KafkaError? {
        // SAFETY: the buffers live for their closures, and `session.send` copies them.
        unsafe headers.withUnsafeBytes { headers in
            func sendKeyed(_ value: UnsafeRawBufferPointer?) -> KafkaError? {
                guard var key else {
                    return unsafe session.send(id: id, key: nil, headers: headers, value: value)
                }
                return key.withUTF8 {
                    unsafe session.send(
                        id: id, key: UnsafeRawBufferPointer($0), headers: headers, value: value)
                }
            }
            guard let value else { return sendKeyed(nil) }
            return unsafe value.withUnsafeBytes { unsafe sendKeyed($0) }
        }
    }
}
