import KafkaClient
package import MeteringPorts

extension KafkaEventReader {
    /// Reads the whole log once more, apart from the group: from the oldest record of every
    /// partition up to the end as it is when this begins. For reconciling; blocks the calling
    /// thread until done. It neither needs an assignment nor disturbs one.
    /// - Parameter body: gets each record as in `poll`; records of a partition come in order.
    /// - Returns: how many records were handed over.
    /// - Throws: `unreachable` when nothing came for a minute, or when the topic is unknown.
    @discardableResult
    package func replay(
        _ body: (LogRecordInfo, _ headers: RawSpan, _ value: RawSpan) -> Void
    ) throws(EventLogError) -> Int {
        try scan(from: nil) { info, headers, value in
            body(info, headers, value)
            return true
        }
    }

    /// The same from some offsets on, or the oldest kept records after them, of those partitions
    /// only, until `body` returns false; nil: everything.
    @discardableResult
    package func scan(
        from offsets: [Int32: Int64]?,
        _ body: (LogRecordInfo, _ headers: RawSpan, _ value: RawSpan) -> Bool
    ) throws(EventLogError) -> Int {
        let settings = try KafkaSettings.reader(
            brokers: brokers, group: "\(group)-replay", properties: properties
        ).overridden(by: ["enable.partition.eof": "true"])
        do throws(KafkaError) {
            let partitions = try topicPartitions(settings)
            let second = try KafkaConsumer(
                topic: topic, configuration: settings, log: logger.kafkaSink())
            defer { second.close() }
            var pass = try Replay(second, partitions, from: offsets)
            return try pass.run(body)
        } catch {
            throw EventLogError(error)
        }
    }

    private func topicPartitions(
        _ settings: KafkaConfiguration
    ) throws(KafkaError) -> [Int32] {
        var settings = settings
        settings["group.id"] = nil
        let probe = try KafkaProbe(configuration: settings, log: logger.kafkaSink())
        defer { probe.close() }
        let description = try probe.describe(topic: topic, timeoutMilliseconds: 10_000)
        if let problem = description.problem {
            throw KafkaError(code: problem, attempt: "replay \"\(topic)\"")
        }
        return description.partitions.map(\.number)
    }
}

/// One pass over partitions up to fixed ends.
private struct Replay {
    private let consumer: KafkaConsumer
    private var ends: [Int32: Int64] = [:]
    private var starts: [Int32: Int64] = [:]

    private static let idleLimit = Duration.seconds(60)

    init(
        _ consumer: KafkaConsumer, _ partitions: [Int32], from offsets: [Int32: Int64]?
    ) throws(KafkaError) {
        self.consumer = consumer
        for partition in partitions where offsets == nil || offsets?[partition] != nil {
            let bounds = try consumer.queryWatermarks(
                of: partition, timeoutMilliseconds: 10_000)
            let first = max(bounds.low, offsets?[partition] ?? bounds.low)
            guard first < bounds.high else { continue }
            starts[partition] = first
            ends[partition] = bounds.high
        }
    }

    mutating func run(
        _ body: (LogRecordInfo, RawSpan, RawSpan) -> Bool
    ) throws(KafkaError) -> Int {
        guard !ends.isEmpty else { return 0 }
        try consumer.assign(starts)
        let clock = ContinuousClock()
        var lastProgress = clock.now
        var count = 0
        let ends = ends
        var isWanted = true
        while isWanted, !isDone() {
            let drained = consumer.drain(maxRecords: 10_000, timeoutMilliseconds: 200) {
                info, _, headers, value in
                guard isWanted, let end = ends[info.partition], info.offset < end else { return }
                count += 1
                isWanted = body(LogRecordInfo(info), headers, value)
            }
            while let event = consumer.nextEvent() {
                switch event {
                case .endOfPartition(let partition, let nextOffset):
                    // Control records at the end are never handed over; this tells of them.
                    if let end = ends[partition], nextOffset >= end { self.ends[partition] = nil }
                case .failure(let error, _) where error.kind != .unavailable:
                    throw error
                case .failure:
                    break
                }
            }
            if drained > 0 { lastProgress = clock.now }
            guard lastProgress.duration(to: clock.now) < Self.idleLimit else {
                throw KafkaError(code: .timedOut, attempt: "replay \"\(consumer.topic)\"")
            }
        }
        return count
    }

    private func isDone() -> Bool {
        ends.allSatisfy { partition, end in
            (consumer.nextOffset(of: partition) ?? end) >= end
        }
    }
}
