package import MeteringModel

/// Usage inside of a period, as rating needs it.
package protocol CumulativeUsage: AnyObject, Sendable {
    /// The usage of [period.start, cut) for each cut, ascending, all within the period; what a
    /// cut's hour holds is divided exactly where the hour was divided when it was counted.
    func states(
        customer: CustomerID, meter: MeterKey, period: Period, upTo cuts: [Timestamp]
    ) throws(LedgerError) -> [UsageState]
}

/// An event as it stands in the log, and what became of it.
package struct ExplainedEvent: Sendable, Hashable {
    package var position: LogPosition
    package var source: String
    package var id: String
    package var subject: String
    package var time: Timestamp
    /// What it added to the meter, in smallest units.
    package var value: Int64
    /// It was taken out again by a correction of this id.
    package var voidedBy: String?
    package init(
        position: LogPosition, source: String, id: String, subject: String, time: Timestamp,
        value: Int64, voidedBy: String? = nil
    ) {
        self.position = position
        self.source = source
        self.id = id
        self.subject = subject
        self.time = time
        self.value = value
        self.voidedBy = voidedBy
    }
}

package protocol EventLookup: AnyObject, Sendable {
    /// Counted events of one customer and meter in [from, to), in the order of the log. Reads the
    /// log, so it takes its time.
    func events(
        customer: CustomerID, meter: MeterKey, from: Timestamp, to: Timestamp, cursor: String?,
        limit: Int
    ) async throws(QueryError) -> (events: [ExplainedEvent], next: String?)
}
