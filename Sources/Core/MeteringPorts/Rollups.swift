package import MeteringModel

/// From when on a ledger has what rollups. Month rollups are kept for ever.
package struct RollupsKept: Sendable, Hashable {
    /// Hour rollups that start before it may have been dropped.
    package var hoursFrom: Timestamp
    /// Day rollups that start before it may have been dropped.
    package var daysFrom: Timestamp
    /// Hour rollups that start before it, left by an earlier version, are whole UTC hours.
    package var cutFrom: Timestamp
    package init(
        hoursFrom: Timestamp = .distantPast, daysFrom: Timestamp = .distantPast,
        cutFrom: Timestamp = .distantPast
    ) {
        self.hoursFrom = hoursFrom
        self.daysFrom = daysFrom
        self.cutFrom = cutFrom
    }
}

/// A set of dimension values that a meter has met in a month of the log's append time.
package struct DimensionSet: Sendable, Hashable {
    package var meter: MeterKey
    /// Months since 1970-01, UTC.
    package var month: Int32
    /// Keyed, of the canonical text of the values.
    package var hash: UInt64
    package init(meter: MeterKey, month: Int32, hash: UInt64) {
        self.meter = meter
        self.month = month
        self.hash = hash
    }
}

/// The hour rollups of one customer and meter in one hour, made anew from the log and cut
/// elsewhere than before. They hold what the rows held that they replace.
package struct RecutHour: Sendable {
    package var customer: CustomerID
    package var meter: MeterKey
    package var aggregation: Aggregation
    package var hour: Period
    package var rows: [StoredRollup]
    package init(
        customer: CustomerID, meter: MeterKey, aggregation: Aggregation, hour: Period,
        rows: [StoredRollup]
    ) {
        self.customer = customer
        self.meter = meter
        self.aggregation = aggregation
        self.hour = hour
        self.rows = rows
    }
}
