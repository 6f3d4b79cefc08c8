package import KafkaClient
import Logging
import MeteringPorts

// The order on assignment: the delegate claims the partitions and names positions; the broker is
// asked for their bounds; what fits is read; what does not is reported and left alone; what could
// not be learnt is tried again every second. On revocation the delegate flushes first, and only
// then is the group told.

extension KafkaEventReader: KafkaRebalanceHandler {
    static let retryInterval = Duration.seconds(1)
    /// How long one assignment may ask for bounds; what is left waits for its next try, so that
    /// dead brokers cannot keep the reader from polling.
    private static let boundsBudget = Duration.seconds(10)
    private static let retryBudget = Duration.seconds(2)
    private static let boundsTimeoutMilliseconds = 5_000
    /// A new leader may briefly know less than its predecessor did.
    private static let secondLookMilliseconds = 300

    package func partitionsAssigned(
        _ partitions: [Int32], to consumer: KafkaConsumer
    ) -> [Int32: Int64] {
        forgetPartitions()
        logger.info("Assigned partitions \(partitions) of topic \(topic).")
        return place(claim(partitions), budget: Self.boundsBudget)
    }

    package func partitionsRevoked(
        _ partitions: [Int32], isLost: Bool, from consumer: KafkaConsumer
    ) {
        let taken = partitions.filter { owned.contains($0) }
        logger.info("\(isLost ? "Lost" : "Giving up") partitions \(partitions) of \(topic).")
        if !taken.isEmpty {
            assignmentDelegate?.partitionsRevoked(taken, isLost: isLost)
        }
        forgetPartitions()
    }

    func forgetPartitions() {
        owned.removeAll()
        unanswered.removeAll()
        waiting.removeAll()
        firstEnds.removeAll()
        starts.removeAll()
    }

    func stopReading(_ partition: Int32) {
        starts[partition] = nil
        firstEnds[partition] = nil
    }

    /// Reads what is being read, from where it stands, and `added` as well.
    func assign(adding added: [Int32: Int64]) {
        var wanted = added
        for partition in starts.keys where wanted[partition] == nil {
            wanted[partition] = consumer.nextOffset(of: partition)
        }
        do throws(KafkaError) {
            try consumer.assign(wanted)
        } catch {
            problems.append(EventLogError(error))
        }
    }

    /// Tries again what could not be begun before.
    func retryUnread() {
        guard !unanswered.isEmpty || !waiting.isEmpty, .now >= retryAfter else { return }
        var wanted = waiting
        waiting.removeAll()
        if !unanswered.isEmpty {
            let partitions = unanswered
            unanswered.removeAll()
            wanted.merge(claim(partitions)) { _, new in new }
        }
        let added = place(wanted, budget: Self.retryBudget)
        if !added.isEmpty { assign(adding: added) }
    }

    /// Has the delegate take `partitions` over.
    /// - Returns: the positions wanted.
    private func claim(_ partitions: [Int32]) -> [Int32: Int64] {
        guard !partitions.isEmpty, let delegate = assignmentDelegate else { return [:] }
        let answers: [Int32: Int64]
        do throws(EventLogError) {
            answers = try delegate.partitionsAssigned(partitions)
        } catch {
            unanswered = partitions
            retryAfter = .now.advanced(by: Self.retryInterval)
            problems.append(error)
            return [:]
        }
        owned.formUnion(partitions)
        for partition in partitions where answers[partition] == nil {
            problems.append(
                EventLogError(
                    code: .misconfigured,
                    message: """
                        Partition \(partition) of topic "\(topic)" is not read: nobody said \
                        where to begin.
                        """))
        }
        return answers.filter { partitions.contains($0.key) }
    }

    /// Holds positions against the broker's bounds.
    /// - Returns: what may be read now, and from where.
    private func place(_ wanted: [Int32: Int64], budget: Duration) -> [Int32: Int64] {
        var readable: [Int32: Int64] = [:]
        let clock = ContinuousClock()
        let deadline = clock.now.advanced(by: budget)
        for (partition, position) in wanted.sorted(by: { $0.key < $1.key }) {
            guard let (start, bounds) = judge(position, partition, until: deadline) else {
                waiting[partition] = position
                continue
            }
            if let problem = start.problem(
                topic: topic, partition: partition, wanted: position, bounds: bounds)
            {
                logger.critical("\(problem.message)")
                problems.append(problem)
            } else if case .read(let offset) = start {
                readable[partition] = offset
                firstEnds[partition] = bounds.high
                starts[partition] = StartedPartition(offset: offset, isFresh: position <= 0)
                if position <= 0, offset > 0 {
                    logger.notice(
                        "Partition \(partition) is new here; the log begins at offset \(offset).")
                }
            }
        }
        if !waiting.isEmpty {
            retryAfter = clock.now.advanced(by: Self.retryInterval)
            logger.warning("The bounds of partitions \(waiting.keys.sorted()) are not known yet.")
        }
        return readable
    }

    /// - Returns: nil when the broker did not tell the partition's bounds in time.
    private func judge(
        _ position: Int64, _ partition: Int32, until deadline: ContinuousClock.Instant
    ) -> (StartOffset, KafkaWatermarks)? {
        guard let bounds = bounds(of: partition, until: deadline) else { return nil }
        let first = StartOffset(wanted: position, bounds: bounds)
        guard case .beyondEnd = first else { return (first, bounds) }
        OwnedThread.pause(milliseconds: Self.secondLookMilliseconds)
        guard let again = self.bounds(of: partition, until: deadline) else { return nil }
        return (StartOffset(wanted: position, bounds: again), again)
    }

    private func bounds(
        of partition: Int32, until deadline: ContinuousClock.Instant
    ) -> KafkaWatermarks? {
        let rest = ContinuousClock.now.duration(to: deadline) / Duration.milliseconds(1)
        guard rest >= 1 else { return nil }
        do throws(KafkaError) {
            return try consumer.queryWatermarks(
                of: partition,
                timeoutMilliseconds: min(Self.boundsTimeoutMilliseconds, Int(rest)))
        } catch {
            logger.warning("\(error)")
            return nil
        }
    }
}
