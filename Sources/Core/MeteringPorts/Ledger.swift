package import MeteringModel

/// Everything that one stretch of one partition does to the ledger; committed whole or not at all.
package struct LedgerBatch: Sendable {
    package var partition: Int32
    /// Epoch under which this process owns the partition.
    package var epoch: Int64
    /// Offset that the ledger must hold now, and the one it holds afterwards.
    package var baseOffset: Int64
    package var nextOffset: Int64
    /// Largest append time of the stretch; the ledger's watermark in time.
    package var completeTo: Timestamp
    package var usage: [UsageDelta] = []
    package var rollups: [RollupDelta] = []
    package var dedupeMarks: [DedupeMark] = []
    package var setAside: [SetAsideEvent] = []
    package var admissions: [AdmissionRecord] = []
    package var reservations: [ReservationChange] = []
    package var adjustments: [Adjustment] = []
    /// Sets of dimension values that the rollups keep apart; one that is known already stays.
    package var dimensionSets: [DimensionSet] = []
    /// Applied after all usage of the batch, each whole or not at all.
    package var corrections: [LedgerCorrection] = []

    package init(
        partition: Int32, epoch: Int64, baseOffset: Int64, nextOffset: Int64, completeTo: Timestamp
    ) {
        self.partition = partition
        self.epoch = epoch
        self.baseOffset = baseOffset
        self.nextOffset = nextOffset
        self.completeTo = completeTo
    }
}

/// What a usage row is about.
package struct UsageKey: Hashable, Sendable {
    package var customer: CustomerID
    package var meter: MeterKey
    package var period: Period
    package init(customer: CustomerID, meter: MeterKey, period: Period) {
        self.customer = customer
        self.meter = meter
        self.period = period
    }
}

package struct UsageDelta: Sendable {
    package var key: UsageKey
    package var aggregation: Aggregation
    package var delta: UsageState
    /// The part of `delta.value` that the gate had already charged when it admitted it.
    package var admitted: Int64
    /// The part of `admitted` that this process had charged. The ledger only passes it on.
    package var admittedHere: Int64
    /// An instant inside the stretch of time that the delta's events lie in; all of it has the
    /// same quotas, those by which the delta is scored. A batch may hold several deltas of one row.
    package var scoredAt: Timestamp
    /// - Parameter scoredAt: nil: the period's start.
    package init(
        key: UsageKey, aggregation: Aggregation, delta: UsageState, admitted: Int64,
        admittedHere: Int64 = 0, scoredAt: Timestamp? = nil
    ) {
        self.key = key
        self.aggregation = aggregation
        self.delta = delta
        self.admitted = admitted
        self.admittedHere = admittedHere
        self.scoredAt = scoredAt ?? key.period.start
    }
}

package enum RollupWindow: String, Sendable, Hashable, CaseIterable { case hour, day, month }

package struct RollupDelta: Sendable {
    package var customer: CustomerID
    package var meter: MeterKey
    package var window: RollupWindow
    /// Hour: where the stretch of the hour (UTC's, and that of the customer's clocks) begins in which
    /// entitlements and periods of the customer are constant; the rows of one hour simply add up.
    /// Day, month: its first instant in the customer's zone.
    package var start: Timestamp
    /// Canonical JSON object of dimension values, members sorted by name; `{}` without dimensions.
    package var dimensions: String
    package var aggregation: Aggregation
    package var delta: UsageState
    package init(
        customer: CustomerID, meter: MeterKey, window: RollupWindow, start: Timestamp,
        dimensions: String, aggregation: Aggregation, delta: UsageState
    ) {
        self.customer = customer
        self.meter = meter
        self.window = window
        self.start = start
        self.dimensions = dimensions
        self.aggregation = aggregation
        self.delta = delta
    }
}

/// The first occurrence of an event identity.
package struct DedupeMark: Sendable, Hashable {
    package var fingerprint: UInt64
    package var offset: Int64
    package init(fingerprint: UInt64, offset: Int64) {
        self.fingerprint = fingerprint
        self.offset = offset
    }
}

/// An event that could not be counted: dead-lettered (its own fault) or quarantined (nobody's yet).
package struct SetAsideEvent: Sendable, Hashable {
    package enum Kind: String, Sendable { case deadLetter = "dead_letter", quarantine }
    package var kind: Kind
    package var partition: Int32
    package var offset: Int64
    package var appendedAt: Timestamp
    /// Stable code, e.g. `malformed`, `unknown_subject`.
    package var reason: String
    package var detail: String
    /// Subject of a quarantined event, so that it can be found when the subject appears.
    package var subject: String
    package var headers: [UInt8]
    package var payload: [UInt8]
    package init(
        kind: Kind, partition: Int32, offset: Int64, appendedAt: Timestamp, reason: String,
        detail: String, subject: String = "", headers: [UInt8] = [], payload: [UInt8] = []
    ) {
        self.kind = kind
        self.partition = partition
        self.offset = offset
        self.appendedAt = appendedAt
        self.reason = reason
        self.detail = detail
        self.subject = subject
        self.headers = headers
        self.payload = payload
    }
}

/// An admission that the log holds: what makes `consume` idempotent across restarts.
package struct AdmissionRecord: Sendable, Hashable {
    package var customer: CustomerID
    package var feature: FeatureKey
    package var id: String
    package var quantity: Int64
    package var admittedAt: Timestamp
    /// The decision document as answered, JSON.
    package var answer: String
    package init(
        customer: CustomerID, feature: FeatureKey, id: String, quantity: Int64,
        admittedAt: Timestamp, answer: String
    ) {
        self.customer = customer
        self.feature = feature
        self.id = id
        self.quantity = quantity
        self.admittedAt = admittedAt
        self.answer = answer
    }
}

/// A hold on part of a quota.
package struct Reservation: Sendable, Hashable {
    package enum State: String, Sendable { case open, committed, released, expired }
    package var id: String
    package var customer: CustomerID
    package var feature: FeatureKey
    package var quantity: Int64
    package var period: Period
    package var expiresAt: Timestamp
    package var state: State
    /// Units charged once committed.
    package var committed: Int64
    package init(
        id: String, customer: CustomerID, feature: FeatureKey, quantity: Int64, period: Period,
        expiresAt: Timestamp, state: State = .open, committed: Int64 = 0
    ) {
        self.id = id
        self.customer = customer
        self.feature = feature
        self.quantity = quantity
        self.period = period
        self.expiresAt = expiresAt
        self.state = state
        self.committed = committed
    }
}

package enum ReservationChange: Sendable, Hashable {
    case opened(Reservation)
    /// Only an open reservation can be closed; a second closing changes nothing.
    case closed(id: String, state: Reservation.State, committed: Int64)
}

/// What has changed about a period after it was, or could have been, billed: usage that arrived
/// after the period was closed (end + grace), a change of the contract that reaches back, or a
/// correction of an event in a closed period.
package struct Adjustment: Sendable, Hashable {
    /// A change of the contract, and what it did to one feature's usage.
    package struct Cause: Sendable, Hashable {
        package var requestID: String
        package var feature: FeatureKey
        package var scale: Int
        /// Nil: there was, or is, no quota of the feature with this period.
        package var limitBefore: Limit?
        package var limitAfter: Limit?
        package var overageBefore: Int64
        package var overageAfter: Int64
        package init(
            requestID: String, feature: FeatureKey, scale: Int, limitBefore: Limit?,
            limitAfter: Limit?, overageBefore: Int64, overageAfter: Int64
        ) {
            self.requestID = requestID
            self.feature = feature
            self.scale = scale
            self.limitBefore = limitBefore
            self.limitAfter = limitAfter
            self.overageBefore = overageBefore
            self.overageAfter = overageAfter
        }
    }
    /// A correction of one event.
    package struct Correction: Sendable, Hashable {
        /// The correction's, as in `CorrectionRecord`.
        package var id: String
        package var action: CorrectionRecord.Action
        package var source: String
        package var eventID: String
        package var reason: String
        package init(
            id: String, action: CorrectionRecord.Action, source: String, eventID: String,
            reason: String
        ) {
            self.id = id
            self.action = action
            self.source = source
            self.eventID = eventID
            self.reason = reason
        }
    }
    package var key: UsageKey
    /// Late usage: events and units that came late. With a cause: all of the period's. With a
    /// correction: by how much the period's events and its reading changed.
    package var count: Int64
    package var value: Int64
    package var recordedAt: Timestamp
    /// Nil for late usage and corrections.
    package var cause: Cause?
    package var correction: Correction?
    package init(
        key: UsageKey, count: Int64, value: Int64, recordedAt: Timestamp, cause: Cause? = nil,
        correction: Correction? = nil
    ) {
        self.key = key
        self.count = count
        self.value = value
        self.recordedAt = recordedAt
        self.cause = cause
        self.correction = correction
    }
}

/// One usage row before and after a delta.
package struct UsageChange: Sendable {
    package var key: UsageKey
    package var aggregation: Aggregation
    package var before: UsageState
    package var after: UsageState
    package var admittedBefore: Int64
    package var admittedAfter: Int64
    /// As the delta says it.
    package var admittedHere: Int64
    package var scoredAt: Timestamp
    package init(
        key: UsageKey, aggregation: Aggregation, before: UsageState, after: UsageState,
        admittedBefore: Int64, admittedAfter: Int64, admittedHere: Int64 = 0,
        scoredAt: Timestamp? = nil
    ) {
        self.key = key
        self.aggregation = aggregation
        self.before = before
        self.after = after
        self.admittedBefore = admittedBefore
        self.admittedAfter = admittedAfter
        self.admittedHere = admittedHere
        self.scoredAt = scoredAt ?? key.period.start
    }
}

package struct LedgerCommit: Sendable {
    /// One for each delta of the batch, in its order.
    package var changes: [UsageChange]
    /// What corrections changed after that, in order.
    package var corrected: [UsageChange]
    /// Those that were not in the ledger before, or are open again.
    package var newCrossings: [Crossing]
    package init(
        changes: [UsageChange], corrected: [UsageChange] = [], newCrossings: [Crossing]
    ) {
        self.changes = changes
        self.corrected = corrected
        self.newCrossings = newCrossings
    }
}

package struct PartitionClaim: Sendable, Hashable {
    package var partition: Int32
    package var epoch: Int64
    package var nextOffset: Int64
    package var completeTo: Timestamp?
    package init(partition: Int32, epoch: Int64, nextOffset: Int64, completeTo: Timestamp?) {
        self.partition = partition
        self.epoch = epoch
        self.nextOffset = nextOffset
        self.completeTo = completeTo
    }
}

/// The writing side of the ledger. Synchronous, used from the thread that owns the pipeline.
package protocol UsageLedger: AnyObject, Sendable {
    /// Takes each partition over: raises its epoch, so that an earlier owner can write no more.
    func claim(_ partitions: [Int32]) throws(LedgerError) -> [PartitionClaim]
    /// Writes the batch in one transaction, with compare-and-set on (position, epoch).
    /// `score` names the thresholds that a usage change crossed; it runs inside the transaction.
    func commit(
        _ batch: LedgerBatch, score: (UsageChange) -> [Crossing]
    ) throws(LedgerError) -> LedgerCommit
    /// Commits batches of different partitions together, which spares writing the same pages once
    /// per partition. Each is in the ledger whole or not at all, as its result says; one that
    /// another owner has fenced off or that would overflow does not keep the others out.
    /// - Parameter score: as for `commit`; gets the index of the change's batch.
    func commitAll(
        _ batches: [LedgerBatch], score: (Int, UsageChange) -> [Crossing]
    ) -> [Result<LedgerCommit, LedgerError>]
    /// Dedupe marks of a partition, oldest first, from records appended at or after `since`.
    func dedupeMarks(
        partition: Int32, since: Timestamp, _ body: (DedupeMark, Timestamp) -> Void
    ) throws(LedgerError)
    /// Drops dedupe blocks appended before `instant`, and admissions decided before `admissions`.
    func prune(dedupeBefore instant: Timestamp, admissionsBefore: Timestamp) throws(LedgerError)
    /// Makes month rollups of the day rollups that an earlier version has left without, once.
    /// - Parameter start: the first instant of the month that a customer's day lies in.
    /// - Returns: how many days were added up; 0 when there is nothing to make.
    func fillMonths(
        start: (CustomerID, Timestamp) -> Timestamp
    ) throws(LedgerError) -> Int64
    /// Drops rollups of `window` that start before `instant`, at most `limit` at once, oldest first.
    /// From its first call on, `rollupsKept` says that they are gone.
    /// - Returns: whether there are more.
    func pruneRollups(
        _ window: RollupWindow, before instant: Timestamp, limit: Int
    ) throws(LedgerError) -> Bool
    /// Forgets the sets of dimension values that were met before a month.
    func pruneDimensionSets(before month: Int32) throws(LedgerError)
}

package struct LedgerError: Error, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable {
        /// Another owner has taken the partition, or its position is not the batch's base.
        case fenced
        case full, busy, corrupt, unavailable, overflow, misconfigured
    }
    package var code: Code
    package var message: String
    package var isRetriable: Bool
    package init(code: Code, message: String, isRetriable: Bool = false) {
        self.code = code
        self.message = message
        self.isRetriable = isRetriable
    }
    package var description: String { message }
}
