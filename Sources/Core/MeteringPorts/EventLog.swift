package import MeteringModel

/// Where a record stands in the log and when the log took it.
package struct LogRecordInfo: Sendable, Hashable {
    package var partition: Int32
    package var offset: Int64
    /// The log's own time of the append (Kafka: the record timestamp; journal: time of the commit).
    package var appendedAt: Timestamp
    /// True for a record without a value (a Kafka tombstone); the value span is then empty.
    package var isNull: Bool

    package init(partition: Int32, offset: Int64, appendedAt: Timestamp, isNull: Bool) {
        self.partition = partition
        self.offset = offset
        self.appendedAt = appendedAt
        self.isNull = isNull
    }
}

/// The consuming side of the event log. Used from one thread that its owner runs: every call,
/// and every delegate call, happens there.
package protocol EventLogReader: AnyObject {
    /// Told about partitions before records of them arrive; must be set before the first poll.
    var assignmentDelegate: (any PartitionAssignmentDelegate)? { get set }

    /// Hands at most `maxRecords` records to `body`, waiting at most `timeoutMilliseconds` for the
    /// first one. The spans are valid only inside `body`; `headers` is in `FlatHeaders` form.
    /// - Returns: how many records were handed over.
    func poll(
        maxRecords: Int, timeoutMilliseconds: Int,
        _ body: (LogRecordInfo, _ headers: RawSpan, _ value: RawSpan) -> Void
    ) throws(EventLogError) -> Int

    /// Tells the log how far each partition is done, for lag tools only. Never waits.
    func commitInformational(_ nextOffsets: [Int32: Int64])

    /// The offset after the last record of each assigned partition, as far as it is known.
    func endOffsets() throws(EventLogError) -> [Int32: Int64]

    /// Leaves the group and frees everything; idempotent.
    func close()
}

package protocol PartitionAssignmentDelegate: AnyObject {
    /// - Returns: for each partition the offset to read first.
    func partitionsAssigned(_ partitions: [Int32]) throws(EventLogError) -> [Int32: Int64]
    /// The reader is about to lose `partitions`. `isLost` means that it already has: write nothing.
    func partitionsRevoked(_ partitions: [Int32], isLost: Bool)
}

/// One record to append.
package struct LogAppend: Sendable, Hashable {
    /// Records with the same key stay in order, in one partition.
    package var key: String
    /// `FlatHeaders` form; empty for a structured CloudEvent.
    package var headers: [UInt8]
    package var value: [UInt8]

    package init(key: String, headers: [UInt8] = [], value: [UInt8]) {
        self.key = key
        self.headers = headers
        self.value = value
    }
}

package struct LogPosition: Sendable, Hashable {
    package var partition: Int32
    package var offset: Int64
    package init(partition: Int32, offset: Int64) {
        self.partition = partition
        self.offset = offset
    }
}

/// The producing side of the event log.
package protocol EventLogWriter: Sendable {
    /// Returns once every record is durable (fsynced, or acknowledged by all in-sync replicas).
    /// On an error whose `outcome` is `.unknown` some may be in the log all the same.
    func append(_ records: [LogAppend]) async throws(EventLogError) -> [LogPosition]
    /// Waits for what is under way, then refuses more; idempotent.
    func close() async
}

package struct EventLogError: Error, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable {
        case unreachable, full, tooLarge, closed, offsetOutOfRange, corrupt, misconfigured,
            overloaded
    }
    package enum Outcome: Sendable { case notAppended, unknown }
    package var code: Code
    /// What happened and what to do about it, for people.
    package var message: String
    package var isRetriable: Bool
    package var outcome: Outcome

    package init(
        code: Code, message: String, isRetriable: Bool = false, outcome: Outcome = .notAppended
    ) {
        self.code = code
        self.message = message
        self.isRetriable = isRetriable
        self.outcome = outcome
    }
    package var description: String { message }
}
