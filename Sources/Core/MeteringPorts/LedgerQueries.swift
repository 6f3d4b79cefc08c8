package import MeteringModel

/// The reading side of the ledger; safe from any thread, blocking for at most a short query.
package protocol LedgerQueries: CorrectionQueries {
    /// Every usage row whose period ends after `instant`: what the counters are built from.
    func liveUsage(
        endingAfter instant: Timestamp, _ body: (StoredUsage) -> Void
    ) throws(LedgerError)
    func usage(_ key: UsageKey) throws(LedgerError) -> StoredUsage?
    /// The rows of many keys, all as of one instant; there is none for a key without a row.
    func usage(_ keys: [UsageKey]) throws(LedgerError) -> [UsageKey: StoredUsage]
    func rollups(_ query: RollupQuery) throws(LedgerError) -> [StoredRollup]
    /// The instants at which rollups start, ascending, at most `limit`.
    func rollupStarts(_ query: RollupQuery, limit: Int) throws(LedgerError) -> [Timestamp]
    /// Every rollup of a window and some customers, in the order of time. Costs a look-up for each
    /// instant at which somebody's rollup starts.
    func rollups(
        _ window: RollupWindow, of customers: ClosedRange<CustomerID>,
        _ body: (CustomerID, MeterKey, Aggregation, StoredRollup) -> Void
    ) throws(LedgerError)
    func rollupsKept() throws(LedgerError) -> RollupsKept
    /// When the earliest of the periods that end after `instant` began; lifetimes do not count.
    func periodsBegin(endingAfter instant: Timestamp) throws(LedgerError) -> Timestamp?
    /// The sets of dimension values met since a month.
    func dimensionSets(since month: Int32) throws(LedgerError) -> [DimensionSet]
    /// Lifetime totals from the month rollups, per customer and meter, sorted.
    func totals() throws(LedgerError) -> [MeterTotal]
    func crossings(
        customer: CustomerID?, since: Timestamp?, after sequence: Int64, limit: Int
    ) throws(LedgerError) -> [StoredCrossing]
    /// Set-aside events not yet re-driven, oldest first.
    func setAside(
        kind: SetAsideEvent.Kind?, after sequence: Int64, limit: Int
    ) throws(LedgerError) -> [StoredSetAside]
    func setAsideCounts() throws(LedgerError) -> [String: Int64]
    func openReservations() throws(LedgerError) -> [Reservation]
    func reservation(_ id: String) throws(LedgerError) -> Reservation?
    func admissions(since: Timestamp) throws(LedgerError) -> [AdmissionRecord]
    func positions() throws(LedgerError) -> [PartitionClaim]
    func adjustments(customer: CustomerID?) throws(LedgerError) -> [Adjustment]
    /// One customer's crossings in periods that end after `instant`, resolved ones too.
    func crossings(
        of customer: CustomerID, periodsEndingAfter instant: Timestamp
    ) throws(LedgerError) -> [StoredCrossing]
    /// One customer's admissions at or after `since`, oldest first, as far as they are kept.
    func admissions(
        of customer: CustomerID, since: Timestamp
    ) throws(LedgerError) -> [AdmissionRecord]
    /// No usage on record lies before this instant; nil when there is none at all.
    func usageBegins() throws(LedgerError) -> Timestamp?
    /// What became of crossings, in order: the outbox that alerts are made from.
    func crossingChanges(
        after sequence: Int64, limit: Int
    ) throws(LedgerError) -> [CrossingChange]
    /// Adjustments in the order of their recording, with their sequence.
    func adjustments(
        after sequence: Int64, limit: Int
    ) throws(LedgerError) -> [(sequence: Int64, adjustment: Adjustment)]
}

/// What a change of contracts makes of usage on record; written whole or not at all.
package struct LedgerRestatement: Sendable {
    package var at: Timestamp
    /// Rows made from rollups or the log; each replaces the one under its key.
    package var usage: [StoredUsage] = []
    /// Hours cut anew.
    package var recutHours: [RecutHour] = []
    /// One of a (cause, key) that is there already stays as it is.
    package var adjustments: [Adjustment] = []
    /// Ids.
    package var resolved: [String] = []
    /// As for `recordCrossings`.
    package var crossings: [Crossing] = []
    /// Rows made anew; each replaces the one under its key, or drops it where nothing is left.
    package var rollups: [RollupDelta] = []
    /// Ids of corrections whose rows were made anew with this.
    package var settled: [String] = []
    package init(at: Timestamp) { self.at = at }
    package var isEmpty: Bool {
        usage.isEmpty && recutHours.isEmpty && adjustments.isEmpty && resolved.isEmpty
            && crossings.isEmpty && rollups.isEmpty && settled.isEmpty
    }
}

/// Cold writes, from outside the pipeline.
package protocol LedgerControl: AnyObject, Sendable {
    func markRedriven(_ sequences: [Int64]) throws(LedgerError)
    func resolveCrossings(_ ids: [String], at: Timestamp) throws(LedgerError)
    /// Writes crossings that a change of limits made, not usage. One that is there already and was
    /// resolved is open again.
    func recordCrossings(_ crossings: [Crossing]) throws(LedgerError)
    /// Crossings that no dispatcher has delivered yet, oldest first.
    func undeliveredCrossings(limit: Int) throws(LedgerError) -> [StoredCrossing]
    func markDelivered(_ sequences: [Int64]) throws(LedgerError)
    /// Only between commits of the pipeline: rows it replaces must not be written meanwhile.
    func restate(_ restatement: LedgerRestatement) throws(LedgerError)
    /// A value drawn once per installation (hash keys); `make` supplies it the first time.
    func installationSecret(_ name: String, make: () -> [UInt8]) throws(LedgerError) -> [UInt8]
}

package struct StoredUsage: Sendable {
    package var key: UsageKey
    package var aggregation: Aggregation
    package var state: UsageState
    package var admitted: Int64
    package init(key: UsageKey, aggregation: Aggregation, state: UsageState, admitted: Int64) {
        self.key = key
        self.aggregation = aggregation
        self.state = state
        self.admitted = admitted
    }
}

package struct RollupQuery: Sendable {
    package var customer: CustomerID
    package var meter: MeterKey
    package var window: RollupWindow
    package var from: Timestamp
    package var to: Timestamp
    package init(
        customer: CustomerID, meter: MeterKey, window: RollupWindow, from: Timestamp, to: Timestamp
    ) {
        self.customer = customer
        self.meter = meter
        self.window = window
        self.from = from
        self.to = to
    }
}

package struct StoredRollup: Sendable {
    package var start: Timestamp
    package var dimensions: String
    package var state: UsageState
    package init(start: Timestamp, dimensions: String, state: UsageState) {
        self.start = start
        self.dimensions = dimensions
        self.state = state
    }
}

package struct MeterTotal: Sendable, Hashable {
    package var customer: CustomerID
    package var meter: MeterKey
    package var count: Int64
    package var value: Int64
    /// False for usage of an environment that is never billed (sandbox, internal, test). The
    /// ledger does not know: whoever reports says so.
    package var isBillable: Bool
    package init(
        customer: CustomerID, meter: MeterKey, count: Int64, value: Int64, isBillable: Bool = true
    ) {
        self.customer = customer
        self.meter = meter
        self.count = count
        self.value = value
        self.isBillable = isBillable
    }
}

package struct StoredCrossing: Sendable, Hashable {
    package var sequence: Int64
    package var crossing: Crossing
    package init(sequence: Int64, crossing: Crossing) {
        self.sequence = sequence
        self.crossing = crossing
    }
}

package struct StoredSetAside: Sendable, Hashable {
    package var sequence: Int64
    package var event: SetAsideEvent
    package init(sequence: Int64, event: SetAsideEvent) {
        self.sequence = sequence
        self.event = event
    }
}
