import Entitlements
import MeteringModel
import MeteringPorts
import UsageAggregation

/// Spreads the cells of a fold over the rows that the ledger keeps: usage per period, rollups per
/// hour, day and month; of the customer and of everybody above it in the tree.
struct BatchBuilder {
    let segments: Segments
    let graceMicroseconds: Int64

    init(_ segments: Segments, _ settings: MeteringSettings) {
        self.segments = segments
        graceMicroseconds = settings.closingGraceSeconds * 1_000_000
    }

    /// The batch, and the units in it that this process had charged at admission.
    func build(
        _ source: PartitionFold, dimensions: borrowing DimensionNames
    ) -> (batch: LedgerBatch, admittedHere: [UsageKey: Int64]) {
        var batch = LedgerBatch(
            partition: source.partition, epoch: source.epoch, baseOffset: source.baseOffset,
            nextOffset: source.nextOffset, completeTo: source.completeTo)
        var usage = UsageMerger()
        var rollups = RowMerger<RollupKey>()
        var late: [UsageKey: Adjustment] = [:]
        let meters = segments.snapshot.meters
        for cell in source.fold.cells {
            let meter = meters[Int(cell.key.meter)].key
            let at = Timestamp(microseconds: cell.key.segmentStart)
            let text = dimensions.text(cell.key.dimensions)
            segments.snapshot.lineage(of: Int(cell.key.customer), at: at) { owner, segment in
                for period in Segments.periods(of: owner, meter: Int(cell.key.meter), at: at) {
                    let key = UsageKey(customer: owner.id, meter: meter, period: period)
                    usage.merge(key, segment, cell, at)
                    if cell.lateCount > 0 { note(cell, key, source.completeTo, &late) }
                }
                for window in RollupWindow.allCases {
                    let start = Self.start(window, owner, segment, Int(cell.key.meter), at)
                    let key = RollupKey(
                        customer: owner.id, meter: meter, window: window, start: start,
                        dimensions: text)
                    rollups.merge(key, cell.state, cell.aggregation)
                }
            }
        }
        batch.usage = usage.deltas
        batch.rollups = rollups.rows.map {
            RollupDelta(
                customer: $0.key.customer, meter: $0.key.meter, window: $0.key.window,
                start: $0.key.start, dimensions: $0.key.dimensions, aggregation: $0.aggregation,
                delta: $0.state)
        }
        batch.dimensionSets = Self.newSets(of: source, dimensions)
        batch.adjustments = Array(late.values)
        batch.dedupeMarks = source.marks
        batch.setAside = source.setAside
        batch.admissions = source.admissions
        batch.reservations = source.reservations
        batch.corrections = corrections(source, dimensions: dimensions)
        return (batch, usage.admittedHere)
    }

    /// Each in every batch that has it, whichever is committed first.
    private static func newSets(
        of source: PartitionFold, _ dimensions: borrowing DimensionNames
    ) -> [DimensionSet] {
        var sets: Set<DimensionSet> = []
        func note(_ cell: FoldCell) {
            guard let new = dimensions.new(cell.key.dimensions) else { return }
            sets.insert(
                DimensionSet(meter: new.place.meter, month: new.place.month, hash: new.hash))
        }
        for cell in source.fold.cells { note(cell) }
        for correction in source.corrections {
            for cell in correction.added?.fold.cells ?? [] { note(cell) }
        }
        return Array(sets)
    }

    private static func start(
        _ window: RollupWindow, _ owner: CompiledCustomer, _ segment: EntitlementSegment,
        _ meter: Int, _ at: Timestamp
    ) -> Timestamp {
        switch window {
        case .hour: Segments.stretch(of: owner, segment, meter: meter, at: at).start
        case .day: Segments.day(at, owner.zone).start
        case .month: Segments.month(at, owner.zone).start
        }
    }

    /// Late usage of a period that is closed by now is listed, so that it can be billed apart.
    private func note(
        _ cell: FoldCell, _ key: UsageKey, _ completeTo: Timestamp,
        _ late: inout [UsageKey: Adjustment]
    ) {
        guard completeTo.microseconds(since: key.period.end) >= graceMicroseconds else { return }
        var entry =
            late[key] ?? Adjustment(key: key, count: 0, value: 0, recordedAt: completeTo)
        entry.count += cell.lateCount
        entry.value += cell.lateValue
        late[key] = entry
    }
}

/// Merges cells that fall on the same row and are scored by the same quotas.
struct UsageMerger {
    private struct Place: Hashable {
        var key: UsageKey
        /// Where the segment of entitlements begins that the events lie in.
        var segmentStart: Timestamp
    }

    private var unsorted: [UsageDelta] = []
    private var rows: Set<UsageKey> = []
    private var hasSplitRow = false
    private var indexes: [Place: Int] = [:]

    mutating func merge(
        _ key: UsageKey, _ segment: EntitlementSegment, _ cell: FoldCell, _ at: Timestamp
    ) {
        let place = Place(key: key, segmentStart: segment.start)
        let isSplit = segment.start > key.period.start || segment.end < key.period.end
        if let index = indexes[place] {
            // Bounded by the batch's magnitude (see PartitionFold), so it cannot overflow.
            unsorted[index].delta.merge(cell.state, cell.aggregation)
            unsorted[index].admitted += cell.admitted
            unsorted[index].admittedHere += cell.admittedHere
        } else {
            indexes[place] = unsorted.count
            if isSplit, !rows.insert(key).inserted { hasSplitRow = true }
            unsorted.append(
                UsageDelta(
                    key: key, aggregation: cell.aggregation, delta: cell.state,
                    admitted: cell.admitted, admittedHere: cell.admittedHere, scoredAt: at))
        }
    }

    /// Deltas of one row come in the order of time: what was used under the earlier terms had been
    /// used when the later ones began.
    var deltas: [UsageDelta] {
        hasSplitRow ? unsorted.sorted { $0.scoredAt < $1.scoredAt } : unsorted
    }

    var admittedHere: [UsageKey: Int64] {
        var units: [UsageKey: Int64] = [:]
        for delta in unsorted where delta.admitted != 0 {
            units[delta.key, default: 0] += delta.admittedHere
        }
        return units
    }
}

struct RollupKey: Hashable {
    var customer: CustomerID
    var meter: MeterKey
    var window: RollupWindow
    var start: Timestamp
    var dimensions: String
}

/// Merges states that fall on the same row, in order of first appearance.
struct RowMerger<Key: Hashable> {
    private(set) var rows: [(key: Key, aggregation: Aggregation, state: UsageState)] = []
    private var indexes: [Key: Int] = [:]

    mutating func merge(_ key: Key, _ state: UsageState, _ aggregation: Aggregation) {
        if let index = indexes[key] {
            // Bounded by the batch's magnitude (see PartitionFold), so it cannot overflow.
            rows[index].state.merge(state, aggregation)
        } else {
            indexes[key] = rows.count
            rows.append((key, aggregation, state))
        }
    }
}
