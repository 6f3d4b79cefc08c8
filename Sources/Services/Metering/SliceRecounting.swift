package import Entitlements
package import MeteringModel
package import MeteringPorts
import UsageAggregation

/// A customer's usage of a meter in part of an hour, for cutting the hour's rollups there.
package struct UsageSlice: Sendable, Hashable {
    package var customer: CustomerID
    package var meter: MeterKey
    package var period: Period
    package init(customer: CustomerID, meter: MeterKey, period: Period) {
        self.customer = customer
        self.meter = meter
        self.period = period
    }
}

/// What was used in a slice, by the canonical text of dimension values.
package struct SliceUsage: Sendable {
    package var byDimensions: [String: UsageState]
    package init(byDimensions: [String: UsageState] = [:]) { self.byDimensions = byDimensions }
}

/// Counts slices of usage from the log, up to the ledger's positions; one for each.
package typealias SliceRecount =
    @Sendable (CatalogSnapshot, [UsageSlice]) throws(LedgerError) -> [SliceUsage]

/// Counts slices with a replay of the log.
///
/// What happened at an instant was appended later than a few minutes before it, so only the end of
/// the log is read, from there on: for a slice of today little, for one of a month ago a month.
/// Which events count is told by the pipeline's own memory of identities. Slices from before its
/// window take a replay of everything, as do calls from other threads than the pipeline's.
package enum SliceRecounting {
    private static let firstStep: Int64 = 4_096
    /// How much the log's clock may go back and forth, seconds.
    private static let clockSlack: Int64 = 60

    package static func make(
        pipeline: MeteringPipeline, replay: any LogReplay, queries: any LedgerQueries,
        settings: MeteringSettings
    ) -> SliceRecount {
        { [weak pipeline] (snapshot, slices) throws(LedgerError) in
            guard let first = slices.map(\.period.start).min() else { return [] }
            var cuts: Set<Timestamp> = []
            for slice in slices { cuts.formUnion([slice.period.start, slice.period.end]) }
            var recount = LogRecount(
                snapshot: snapshot, settings: settings, replay: replay, cuts: Array(cuts))
            // As admitted then, so that the same sets of dimension values count apart.
            for set in try queries.dimensionSets(since: .min) { recount.sets.restore(set) }
            let positions = try queries.positions()
            let since = first.adding(seconds: -settings.maximumAheadSeconds - clockSlack)
            let remembered = positions.compactMap(\.completeTo).max()
                .map { $0.adding(seconds: -settings.dedupeWindowSeconds) }
            var outcome: Result<[SliceUsage], EventLogError>?
            if let pipeline, let remembered, since > remembered {
                pipeline.lendIdentities { identities in
                    let interpreter = recount.interpreter(identities)
                    outcome = countTail(recount, interpreter, slices, positions, since: since)
                    return interpreter.takeDedupe()
                }
            }
            do throws(EventLogError) {
                if let outcome { return try outcome.get() }
                let sums = SliceSums(slices, recount.segments)
                _ = try recount.run(upTo: positions) { fold, names in sums.add(fold, names) }
                return sums.usage
            } catch {
                throw LedgerError(
                    code: .unavailable,
                    message: "the log cannot be read for a recount: \(error.message)",
                    isRetriable: error.isRetriable)
            }
        }
    }

    /// Reads backwards in growing steps until the first records are from before `since`.
    private static func countTail(
        _ recount: LogRecount, _ interpreter: EventInterpreter, _ slices: [UsageSlice],
        _ positions: [PartitionClaim], since: Timestamp
    ) -> Result<[SliceUsage], EventLogError> {
        var step = firstStep
        do throws(EventLogError) {
            while true {
                var from: [Int32: Int64] = [:]
                for claim in positions { from[claim.partition] = max(0, claim.nextOffset - step) }
                let sums = SliceSums(slices, recount.segments)
                let first = try recount.run(interpreter, from: from, upTo: positions) {
                    sums.add($0, $1)
                }.firstAppends
                let isEnough = from.allSatisfy { partition, offset in
                    // Nothing there: the records in between were dropped, or never were.
                    offset == 0 || first[partition].map { $0 < since } ?? false
                }
                if isEnough { return .success(sums.usage) }
                step = step > Int64.max / 8 ? .max : step * 8
            }
        } catch {
            return .failure(error)
        }
    }

    private final class SliceSums {
        private struct Owned: Hashable {
            var customer: Int
            var meter: Int
        }
        private let slices: [UsageSlice]
        private let segments: Segments
        private var indexes: [Owned: [Int]] = [:]
        private(set) var usage: [SliceUsage]

        init(_ slices: [UsageSlice], _ segments: Segments) {
            self.slices = slices
            self.segments = segments
            usage = slices.map { _ in SliceUsage() }
            for (index, slice) in slices.enumerated() {
                guard let customer = segments.snapshot.customerIndex(slice.customer),
                    let meter = segments.snapshot.meterIndex(slice.meter)
                else { continue }
                indexes[Owned(customer: customer, meter: meter), default: []].append(index)
            }
        }

        /// Cells straddle no slice's bounds, so where a cell starts tells where all of it lies.
        func add(_ fold: PartitionFold, _ names: borrowing DimensionNames) {
            for cell in fold.fold.cells {
                let dimensions = names.text(cell.key.dimensions)
                let at = Timestamp(microseconds: cell.key.segmentStart)
                segments.snapshot.lineage(of: Int(cell.key.customer), at: at) { owner, _ in
                    let owned = Owned(customer: owner.number, meter: Int(cell.key.meter))
                    for index in indexes[owned] ?? [] where slices[index].period.contains(at) {
                        usage[index].byDimensions[dimensions, default: UsageState()]
                            .merge(cell.state, cell.aggregation)
                    }
                }
            }
        }
    }
}
