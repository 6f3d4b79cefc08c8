import KafkaClient
package import Logging
package import MeteringPorts

/// Sends records to one topic and says when all in-sync replicas have them. For events and for
/// anything else that has a topic: alerts, exports, dead letters.
package final class KafkaTopicProducer: Sendable {
    package struct Record: Sendable, Hashable {
        /// Records with equal keys stay in order in one partition; nil for any partition.
        package var key: String?
        /// `FlatHeaders` form.
        package var headers: [UInt8]
        /// Nil for a record without a value.
        package var value: [UInt8]?

        package init(key: String?, headers: [UInt8] = [], value: [UInt8]?) {
            self.key = key
            self.headers = headers
            self.value = value
        }
    }

    package let topic: String
    private let producer: KafkaProducer
    private let inFlight: InFlightAppends
    private let closeLimitMilliseconds: Int

    /// What librdkafka keeps per record besides its bytes.
    private static let recordOverheadBytes = 64

    /// Starts the client; it connects in the background.
    /// - Throws: `misconfigured`, naming the property, when one is wrong or would break a promise.
    package init(
        brokers: String, topic: String, properties: [String: String] = [:],
        logger: Logger = Logger(label: "tollgate.kafka")
    ) throws(EventLogError) {
        self.topic = topic
        let settings = try KafkaSettings.writer(brokers: brokers, properties: properties)
        // Below librdkafka's own bounds, so that a batch is refused here as a whole and never
        // cut in two by a full queue there.
        func bound(_ name: String, _ otherwise: Int) -> Int {
            (settings[name].flatMap(Int.init) ?? otherwise) / 10 * 9
        }
        let inFlight = InFlightAppends(
            recordsMax: bound("queue.buffering.max.messages", 100_000),
            bytesMax: bound("queue.buffering.max.kbytes", 131_072) * 1_024)
        self.inFlight = inFlight
        let deliveryLimit =
            (settings["delivery.timeout.ms"] ?? settings["message.timeout.ms"]).flatMap(Int.init)
        closeLimitMilliseconds = (deliveryLimit ?? 10_000) + 1_000
        do throws(KafkaError) {
            producer = try KafkaProducer(
                topic: topic, configuration: settings, log: logger.kafkaSink(),
                onDelivery: { inFlight.settle($0) })
        } catch {
            throw EventLogError(error)
        }
    }

    /// Returns once every record is acknowledged; their positions are in the order of `records`.
    /// Waits at most for `delivery.timeout.ms`. Cancelling the task does not cut it short, since
    /// the records are under way.
    /// - Throws: `overloaded` at once when too much is under way; `unreachable` when the time is
    ///   up; in both cases `outcome` says whether records may be in the log all the same.
    package func produce(_ records: [Record]) async throws(EventLogError) -> [LogPosition] {
        guard !records.isEmpty else { return [] }
        let byteCount = records.reduce(0) { sum, record in
            sum + (record.value?.count ?? 0) + record.headers.count
                + (record.key?.utf8.count ?? 0) + Self.recordOverheadBytes
        }
        let result = await withCheckedContinuation {
            (continuation: CheckedContinuation<Result<[LogPosition], EventLogError>, Never>) in
            let begun = inFlight.begin(recordCount: records.count, byteCount: byteCount) {
                continuation.resume(returning: $0)
            }
            switch begun {
            case .success(let firstID): send(records, firstID)
            case .failure(let error): continuation.resume(returning: .failure(error))
            }
        }
        return try result.get()
    }

    /// Waits for what is under way, then frees the client. Idempotent.
    package func close() async {
        await withCheckedContinuation { continuation in
            producer.close(withinMilliseconds: closeLimitMilliseconds) { continuation.resume() }
        }
    }

    /// Every record gets settled: by its report, or here when it could not be sent.
    private func send(_ records: [Record], _ firstID: UInt64) {
        var sentCount = 0
        var problem: KafkaError?
        do throws(KafkaError) {
            try producer.withSender { sender in
                for record in records {
                    problem = sender.send(
                        id: firstID + UInt64(sentCount), key: record.key,
                        headers: record.headers, value: record.value)
                    if problem != nil { break }
                    sentCount += 1
                }
            }
        } catch {
            problem = error
        }
        guard let problem else { return }
        for index in sentCount..<records.count {
            inFlight.settleUnsent(firstID + UInt64(index), problem)
        }
    }

    /// Makes the client fail for good, as a broken sequence would. For tests.
    package func failFatally() { producer.failFatally() }

    /// How many clients have been replaced after such a failure.
    package var replacementCount: Int { producer.replacementCount }
}
