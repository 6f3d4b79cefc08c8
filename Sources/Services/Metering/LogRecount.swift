package import Entitlements
package import MeteringModel
package import MeteringPorts
import UsageAggregation

/// A reader of the whole log, apart from the pipeline's, for recounting.
package protocol LogReplay: AnyObject, Sendable {
    /// Hands over every kept record of every partition, in order within each; blocking.
    func replay(
        _ body: (LogRecordInfo, _ headers: RawSpan, _ value: RawSpan) -> Void
    ) throws(EventLogError)
}

/// Folds the log anew, from its first record, as the pipeline would have under one snapshot.
struct LogRecount {
    let snapshot: CatalogSnapshot
    let settings: MeteringSettings
    let replay: any LogReplay
    /// Instants that no cell of a fold may straddle.
    var cuts: [Timestamp] = []
    let counters = MeteringCounters()

    var segments: Segments { Segments(snapshot: snapshot, cuts: cuts.sorted()) }

    /// Hands over one stretch of a partition after the other, each folded.
    /// - Returns: how many records were read.
    func run(
        upTo positions: [PartitionClaim],
        _ body: (PartitionFold, borrowing DimensionNames) -> Void
    ) throws(EventLogError) -> Int64 {
        let interpreter = EventInterpreter(
            snapshot: snapshot, settings: settings, counters: counters, instance: "",
            dedupe: DedupeIndex(windowSeconds: settings.dedupeWindowSeconds), cuts: cuts.sorted())
        let ends = Dictionary(
            uniqueKeysWithValues: positions.map { ($0.partition, $0.nextOffset) })
        var folds: [Int32: PartitionFold] = [:]
        var read: Int64 = 0
        func drain(_ fold: PartitionFold) {
            body(fold, interpreter.dimensions)
            fold.committed()
        }
        try replay.replay { info, headers, value in
            guard let end = ends[info.partition], info.offset < end else { return }
            let fold: PartitionFold
            if let known = folds[info.partition] {
                fold = known
            } else {
                fold = PartitionFold(
                    claim: PartitionClaim(
                        partition: info.partition, epoch: 0, nextOffset: info.offset,
                        completeTo: nil))
                folds[info.partition] = fold
            }
            read += 1
            interpreter.interpret(info, headers, value, into: fold)
            if fold.recordCount >= 50_000 || fold.magnitude > 1 << 61 { drain(fold) }
        }
        for partition in folds.keys.sorted() {
            if let fold = folds[partition] { drain(fold) }
        }
        return read
    }
}

/// A customer's usage of a meter in part of an hour, which no rollup holds by itself.
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

/// Counts slices of usage from the log, up to the ledger's positions; one state for each.
///
/// Reads the whole log whatever the slices are, because only its records say when events were, so
/// one call should ask for many.
package typealias SliceRecount =
    @Sendable (CatalogSnapshot, [UsageSlice]) throws(LedgerError) -> [UsageState]

/// Counts slices with a replay of the log.
package enum SliceRecounting {
    package static func make(
        replay: any LogReplay, queries: any LedgerQueries, settings: MeteringSettings
    ) -> SliceRecount {
        { (snapshot, slices) throws(LedgerError) in
            if slices.isEmpty { return [] }
            var cuts: Set<Timestamp> = []
            for slice in slices { cuts.formUnion([slice.period.start, slice.period.end]) }
            let recount = LogRecount(
                snapshot: snapshot, settings: settings, replay: replay, cuts: Array(cuts))
            let sums = SliceSums(slices, recount.segments)
            let positions = try queries.positions()
            do throws(EventLogError) {
                _ = try recount.run(upTo: positions) { fold, _ in sums.add(fold) }
            } catch {
                throw LedgerError(
                    code: .unavailable,
                    message: "the log cannot be read for a recount: \(error.message)",
                    isRetriable: error.isRetriable)
            }
            return sums.states
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
        private(set) var states: [UsageState]

        init(_ slices: [UsageSlice], _ segments: Segments) {
            self.slices = slices
            self.segments = segments
            states = slices.map { _ in UsageState() }
            for (index, slice) in slices.enumerated() {
                guard let customer = segments.snapshot.customerIndex(slice.customer),
                    let meter = segments.snapshot.meterIndex(slice.meter)
                else { continue }
                indexes[Owned(customer: customer, meter: meter), default: []].append(index)
            }
        }

        /// Cells straddle no slice's bounds, so where a cell starts tells where all of it lies.
        func add(_ fold: PartitionFold) {
            for cell in fold.fold.cells {
                let at = Timestamp(microseconds: cell.key.segmentStart)
                segments.snapshot.lineage(of: Int(cell.key.customer), at: at) { owner, _ in
                    let owned = Owned(customer: owner.number, meter: Int(cell.key.meter))
                    for index in indexes[owned] ?? [] where slices[index].period.contains(at) {
                        states[index].merge(cell.state, cell.aggregation)
                    }
                }
            }
        }
    }
}
