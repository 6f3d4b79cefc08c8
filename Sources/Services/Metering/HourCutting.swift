import Entitlements
import MeteringModel
import MeteringPorts

/// Cuts hour rollups anew where a change of contracts brings a bound inside of an hour that has
/// usage: from the log, per set of dimension values, at every bound known now.
///
/// What an hour holds stays what it was. Where the log no longer tells all of it (records dropped,
/// subjects moved since), the hour stays whole, and its usage counts where its rows begin.
struct HourCutting {
    /// One hour of one customer and meter, and where to cut it.
    struct Hour {
        var customer: CustomerID
        var meter: MeterKey
        var aggregation: Aggregation
        var hour: Period
        /// The rows of now.
        var stored: [StoredRollup]
        /// Ascending; they tile the hour.
        var pieces: [Period]
    }

    let queries: any LedgerQueries

    /// - Parameters:
    ///   - index: the meter's.
    ///   - bounds: instants that no row may straddle any more.
    func hours(
        of owner: CompiledCustomer, _ meter: MeterDefinition, index: Int, bounds: Set<Timestamp>
    ) throws(LedgerError) -> [Hour] {
        var hours: [Hour] = []
        for bound in bounds.sorted() {
            let hour = Segments.hour(bound)
            if hour.start == bound || hours.last?.hour == hour { continue }
            let stored = try queries.rollups(
                RollupQuery(
                    customer: owner.id, meter: meter.key, window: .hour, from: hour.start,
                    to: hour.end))
            guard let first = stored.first, first.start < bound else { continue }
            // Bounds of before stay: a change undone needs them again.
            var starts = Set(stored.map(\.start)).union([hour.start])
            starts.formUnion(bounds.filter { hour.contains($0) })
            var at = hour.start
            while at < hour.end {
                starts.insert(at)
                at =
                    Segments.stretch(of: owner, owner.segment(at: at), meter: index, at: at).end
            }
            let sorted = starts.sorted()
            hours.append(
                Hour(
                    customer: owner.id, meter: meter.key, aggregation: meter.aggregation,
                    hour: hour, stored: stored,
                    pieces: zip(sorted, sorted.dropFirst() + [hour.end]).map {
                        Period(start: $0, end: $1)
                    }))
        }
        return hours
    }

    /// - Parameter counted: usage of each piece of each hour, in their order.
    /// - Returns: the hours of which the log tells all, and how many others there are.
    static func cut(
        _ hours: [Hour], _ counted: [SliceUsage]
    ) -> (cut: [RecutHour], wholeCount: Int) {
        var cut: [RecutHour] = []
        var next = 0
        for hour in hours {
            let pieces = counted[next..<next + hour.pieces.count]
            next += hour.pieces.count
            var rows: [StoredRollup] = []
            for (piece, usage) in zip(hour.pieces, pieces) {
                for (dimensions, state) in usage.byDimensions.sorted(by: { $0.key < $1.key }) {
                    rows.append(
                        StoredRollup(start: piece.start, dimensions: dimensions, state: state))
                }
            }
            guard totals(rows, hour.aggregation) == totals(hour.stored, hour.aggregation) else {
                continue
            }
            cut.append(
                RecutHour(
                    customer: hour.customer, meter: hour.meter, aggregation: hour.aggregation,
                    hour: hour.hour, rows: rows))
        }
        return (cut, hours.count - cut.count)
    }

    private static func totals(
        _ rows: [StoredRollup], _ aggregation: Aggregation
    ) -> [String: UsageState] {
        var totals: [String: UsageState] = [:]
        for row in rows {
            totals[row.dimensions, default: UsageState()].merge(row.state, aggregation)
        }
        return totals
    }
}

/// The bounds that a change of a contract brings into hours that have been counted.
extension TimelineChange {
    /// - Parameters:
    ///   - periods: counted now and not before.
    ///   - from, now: segments that begin in between are new to the past.
    ///   - index, oldIndex: of the meter.
    func newBounds(
        _ periods: [Period], meter index: Int, oldIndex: Int?, from: Timestamp, now: Timestamp
    ) -> Set<Timestamp> {
        var bounds: Set<Timestamp> = []
        for period in periods where period != .lifetime {
            bounds.formUnion([period.start, period.end])
        }
        // What takes effect now finds all usage before it, which stays with the terms before.
        for segment in new.segments
        where segment.start >= from && segment.start.seconds < now.seconds {
            bounds.insert(segment.start)
        }
        guard let old, let oldIndex, old !== new, old.zone.name == new.zone.name else {
            return bounds
        }
        return bounds.filter { bound in
            let segment = old.segment(at: bound)
            return Segments.stretch(of: old, segment, meter: oldIndex, at: bound).start != bound
        }
    }
}
