import KafkaClient
package import Logging
import MeteringModel
package import MeteringPorts

/// Reads events of one topic as a member of a consumer group. The owner keeps the positions; the
/// group's committed offsets are for lag tools only.
///
/// One thread makes every call. Brokers that cannot be reached are logged and waited out. A
/// partition whose position the log does not hold is reported by one thrown error per assignment
/// and not read; the others go on.
package final class KafkaEventReader: EventLogReader {
    package weak var assignmentDelegate: (any PartitionAssignmentDelegate)?

    let topic: String
    let brokers: String
    let group: String
    let properties: [String: String]
    let logger: Logger
    let consumer: KafkaConsumer
    /// Partitions that the delegate has taken, read or not.
    var owned: Set<Int32> = []
    /// Partitions that the delegate could not take yet; asked for again.
    var unanswered: [Int32] = []
    /// Partitions whose bounds could not be learnt yet, with the position wanted.
    var waiting: [Int32: Int64] = [:]
    /// The end of each partition that is read, as learnt when reading began.
    var firstEnds: [Int32: Int64] = [:]
    /// Where each partition that is read began.
    var starts: [Int32: StartedPartition] = [:]
    var problems: [EventLogError] = []
    var retryAfter = ContinuousClock.now
    private var isSubscribed = false
    private var isClosed = false
    private var lastComplaint: KafkaErrorCode?

    struct StartedPartition {
        var offset: Int64
        /// There was no position: the oldest record was taken, whichever it was.
        var isFresh: Bool
        var damagedReadCount = 0
    }

    private static let damagedReadsMax = 3

    /// Starts the client; joins the group with the first poll.
    /// - Parameters:
    ///   - brokers: `host:port` pairs, separated by commas.
    ///   - properties: librdkafka properties that override the defaults.
    /// - Throws: `misconfigured`, naming the property, when one is wrong or would break a promise.
    package init(
        brokers: String, topic: String, group: String, properties: [String: String] = [:],
        logger: Logger = Logger(label: "tollgate.kafka")
    ) throws(EventLogError) {
        self.brokers = brokers
        self.topic = topic
        self.group = group
        self.properties = properties
        self.logger = logger
        let settings = try KafkaSettings.reader(
            brokers: brokers, group: group, properties: properties)
        do throws(KafkaError) {
            consumer = try KafkaConsumer(
                topic: topic, configuration: settings, log: logger.kafkaSink())
        } catch {
            throw EventLogError(error)
        }
        consumer.rebalanceHandler = self
    }

    package func poll(
        maxRecords: Int, timeoutMilliseconds: Int,
        _ body: (LogRecordInfo, _ headers: RawSpan, _ value: RawSpan) -> Void
    ) throws(EventLogError) -> Int {
        guard !isClosed else {
            throw EventLogError(code: .closed, message: "The Kafka reader is closed.")
        }
        try throwProblem()
        try subscribe()
        retryUnread()
        let count = consumer.drain(
            maxRecords: maxRecords, timeoutMilliseconds: timeoutMilliseconds
        ) { info, _, headers, value in
            body(LogRecordInfo(info), headers, value)
        }
        while let event = consumer.nextEvent() { handle(event) }
        if count > 0 {
            lastComplaint = nil
        } else {
            // Nothing was handed over, so an error hides no records.
            try throwProblem()
        }
        return count
    }

    package func commitInformational(_ nextOffsets: [Int32: Int64]) {
        // A commit for a partition of somebody else would move that member's mark.
        consumer.commitAsynchronously(nextOffsets.filter { owned.contains($0.key) })
    }

    package func endOffsets() throws(EventLogError) -> [Int32: Int64] {
        guard !isClosed else {
            throw EventLogError(code: .closed, message: "The Kafka reader is closed.")
        }
        var ends: [Int32: Int64] = [:]
        for (partition, firstEnd) in firstEnds {
            let known = consumer.cachedWatermarks(of: partition)?.high ?? firstEnd
            ends[partition] = max(
                known, firstEnd, consumer.nextOffset(of: partition) ?? firstEnd)
        }
        return ends
    }

    /// Has the delegate give its partitions up, leaves the group and frees the client, within
    /// ten seconds even when the client hangs. Idempotent.
    package func close() {
        guard !isClosed else { return }
        isClosed = true
        if !consumer.close() {
            logger.warning("The Kafka client did not end in time; its thread is left behind.")
        }
        forgetPartitions()
    }

    private func subscribe() throws(EventLogError) {
        guard !isSubscribed else { return }
        guard assignmentDelegate != nil else {
            throw EventLogError(
                code: .misconfigured,
                message: "The reader has no assignment delegate to ask for start offsets.")
        }
        do throws(KafkaError) {
            try consumer.subscribe()
        } catch {
            throw EventLogError(error)
        }
        isSubscribed = true
    }

    private func throwProblem() throws(EventLogError) {
        if !problems.isEmpty { throw problems.removeFirst() }
    }

    private func handle(_ event: KafkaConsumerEvent) {
        guard case .failure(let error, let partition) = event else { return }
        switch error.kind {
        case .offsetOutOfRange:
            if let partition { restart(partition) }
        case .corrupt:
            if let partition { readAgain(partition, error) } else { complain(error) }
        case .denied, .fatal:
            var problem = EventLogError(error)
            if error.kind == .fatal {
                problem.message = "The Kafka client failed for good; open a new reader. \(error)"
            }
            problems.append(problem)
        case .unavailable, .queueFull, .tooLarge, .unknownTopic, .invalid, .abandoned, .other:
            complain(error)
        }
    }

    /// Once per kind of trouble, not once per attempt.
    private func complain(_ error: KafkaError) {
        guard lastComplaint != error.code else { return }
        lastComplaint = error.code
        logger.warning("Kafka trouble; reading goes on when it is over: \(error)")
    }

    /// The broker no longer has, or never had, the offset to be read next.
    private func restart(_ partition: Int32) {
        guard let started = starts[partition], let next = consumer.nextOffset(of: partition)
        else { return }
        // Retention may overtake a fresh start between asking for the bounds and reading.
        let isUnread = started.isFresh && next == started.offset
        stopReading(partition)
        waiting[partition] = isUnread ? 0 : next
        retryAfter = .now.advanced(by: Self.retryInterval)
    }

    /// Damage in transit goes away with another try, damage on the broker's disk does not.
    private func readAgain(_ partition: Int32, _ error: KafkaError) {
        guard var started = starts[partition], let next = consumer.nextOffset(of: partition)
        else { return }
        started.damagedReadCount += 1
        starts[partition] = started
        guard started.damagedReadCount > Self.damagedReadsMax else {
            logger.error("Partition \(partition) arrived damaged at offset \(next): \(error)")
            assign(adding: [:])
            return
        }
        stopReading(partition)
        assign(adding: [:])
        problems.append(
            EventLogError(
                code: .corrupt,
                message: """
                    Partition \(partition) of topic "\(topic)" is not read any more: its records \
                    from offset \(next) on are damaged. Repair the broker's replica, or accept \
                    their loss by moving the stored position past them; then restart. \(error)
                    """))
    }
}

extension LogRecordInfo {
    @inline(__always)
    init(_ info: KafkaRecordInfo) {
        self.init(
            partition: info.partition, offset: info.offset,
            appendedAt: Timestamp(milliseconds: max(0, info.timestampMilliseconds)),
            isNull: info.isNull)
    }
}
