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
    package static func make(
        pipeline: MeteringPipeline, replay: any LogReplay, queries: any LedgerQueries,
        settings: MeteringSettings
    ) -> SliceRecount {
        { [weak pipeline] (snapshot, slices) throws(LedgerError) in
            guard let first = slices.map(\.period.start).min() else { return [] }
            var cuts: Set<Timestamp> = []
            for slice in slices { cuts.formUnion([slice.period.start, slice.period.end]) }
            let recount = LogRecount(
                snapshot: snapshot, settings: settings, replay: replay,
                corrected: try CorrectedEvents(queries, hash: snapshot.hash), cuts: Array(cuts),
                sets: try DimensionSets(queries))
            let positions = try queries.positions()
            let sums = SliceSums(slices, recount.segments)
            do throws(EventLogError) {
                try recount.runTail(
                    since: first, upTo: positions, lender: pipeline, restart: { sums.restart() }
                ) { fold, names in sums.add(fold, names) }
                return sums.usage
            } catch {
                throw .unreadable(error)
            }
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

        func restart() { usage = slices.map { _ in SliceUsage() } }

        func add(_ fold: PartitionFold, _ names: borrowing DimensionNames) {
            add(fold.fold.cells, names, isRemoved: false)
            for correction in fold.corrections {
                if let removed = correction.removed {
                    add(removed.fold.cells, names, isRemoved: true)
                }
                if let added = correction.added {
                    add(added.fold.cells, names, isRemoved: false)
                }
            }
        }

        /// Cells straddle no slice's bounds, so where a cell starts tells where all of it lies.
        private func add(
            _ cells: [FoldCell], _ names: borrowing DimensionNames, isRemoved: Bool
        ) {
            for cell in cells {
                let dimensions = names.text(cell.key.dimensions)
                let at = Timestamp(microseconds: cell.key.segmentStart)
                segments.snapshot.lineage(of: Int(cell.key.customer), at: at) { owner, _ in
                    let owned = Owned(customer: owner.number, meter: Int(cell.key.meter))
                    for index in indexes[owned] ?? [] where slices[index].period.contains(at) {
                        usage[index].byDimensions[dimensions, default: UsageState()].merge(
                            isRemoved ? cell.state.negated : cell.state, cell.aggregation)
                    }
                }
            }
        }
    }
}

extension LedgerError {
    static func unreadable(_ error: EventLogError) -> LedgerError {
        LedgerError(
            code: .unavailable,
            message: "the log cannot be read for a recount: \(error.message)",
            isRetriable: error.isRetriable)
    }
}
