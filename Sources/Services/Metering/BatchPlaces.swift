import Entitlements
import MeteringModel
import MeteringPorts
import UsageAggregation

/// Where the cells of a batch count: for each, its customer and everybody above it, with the
/// periods and the starts of rollups there.
///
/// Calendars and trees are asked once for every customer, meter and stretch of time, however many
/// sets of dimension values there are. Ids and texts become ranks in the order of their bytes, so
/// that rows are told apart, and sorted, by numbers.
struct BatchPlaces {
    /// A customer that a cell counts for.
    struct Level {
        var owner: CompiledCustomer
        /// Of its id.
        var ownerRank: Int32
        var segment: EntitlementSegment
        var periods: [Period]
        /// In the order of `RollupWindow.allCases`.
        var starts: [Timestamp]
    }

    private struct Stretch: Hashable {
        var customer: Int32
        var meter: Int32
        var start: Int64
    }

    private var levels: [[Level]] = []
    private var indexes: [Stretch: Int] = [:]
    private(set) var customers: [CustomerID] = []
    private(set) var texts: [String] = []
    private var textRanks: [Int32: Int32] = [:]

    init(
        _ cells: [FoldCell], _ segments: Segments, _ dimensions: borrowing DimensionNames
    ) {
        indexes.reserveCapacity(cells.count)
        var numbers: Set<Int32> = []
        for cell in cells {
            numbers.insert(cell.key.dimensions)
            let stretch = Self.stretch(cell)
            if indexes[stretch] != nil { continue }
            indexes[stretch] = levels.count
            levels.append(Self.levels(cell, segments))
        }
        rankCustomers()
        rankTexts(numbers, dimensions)
    }

    func levels(of cell: FoldCell) -> [Level] {
        indexes[Self.stretch(cell)].map { levels[$0] } ?? []
    }

    /// The rank of a cell's text among those of the batch.
    func textRank(of cell: FoldCell) -> Int32 { textRanks[cell.key.dimensions] ?? 0 }

    private static func stretch(_ cell: FoldCell) -> Stretch {
        Stretch(customer: cell.key.customer, meter: cell.key.meter, start: cell.key.segmentStart)
    }

    private static func levels(_ cell: FoldCell, _ segments: Segments) -> [Level] {
        let at = Timestamp(microseconds: cell.key.segmentStart)
        let meter = Int(cell.key.meter)
        var levels: [Level] = []
        segments.snapshot.lineage(of: Int(cell.key.customer), at: at) { owner, segment in
            levels.append(
                Level(
                    owner: owner, ownerRank: 0, segment: segment,
                    periods: Segments.periods(of: owner, meter: meter, at: at),
                    starts: RollupWindow.allCases.map { window in
                        switch window {
                        case .hour:
                            Segments.stretch(of: owner, segment, meter: meter, at: at).start
                        case .day: Segments.day(at, owner.zone).start
                        case .month: Segments.month(at, owner.zone).start
                        }
                    }))
        }
        return levels
    }

    private mutating func rankCustomers() {
        var known: [Int: CompiledCustomer] = [:]
        for level in levels.joined() { known[level.owner.number] = level.owner }
        var ranks: [Int: Int32] = [:]
        for owner in known.values.sorted(by: { $0.id < $1.id }) {
            // A customer that was removed and came again has two numbers and one id.
            if customers.last != owner.id { customers.append(owner.id) }
            ranks[owner.number] = Int32(customers.count - 1)
        }
        for index in levels.indices {
            for level in levels[index].indices {
                levels[index][level].ownerRank =
                    ranks[levels[index][level].owner.number] ?? 0
            }
        }
    }

    private mutating func rankTexts(
        _ numbers: Set<Int32>, _ dimensions: borrowing DimensionNames
    ) {
        var known: [(text: String, number: Int32)] = []
        for number in numbers { known.append((dimensions.text(number), number)) }
        known.sort { $0.text.utf8.lexicographicallyPrecedes($1.text.utf8) }
        for (text, number) in known {
            // One text has several numbers when its values come from different paths.
            if texts.last.map({ !$0.utf8.elementsEqual(text.utf8) }) ?? true { texts.append(text) }
            textRanks[number] = Int32(texts.count - 1)
        }
    }
}

/// States of one window's rollups, merged by row.
struct RollupMerger {
    private struct Place: Hashable {
        var start: Timestamp
        var owner: Int32
        var meter: Int32
        var text: Int32

        /// As the ledger's primary key has it, so that neighbours are written one after the other.
        func precedes(_ other: Place) -> Bool {
            if start != other.start { return start < other.start }
            if owner != other.owner { return owner < other.owner }
            if meter != other.meter { return meter < other.meter }
            return text < other.text
        }
    }

    private var rows: [(place: Place, aggregation: Aggregation, state: UsageState)] = []
    private var indexes: [Place: Int] = [:]

    init(capacity: Int) { indexes.reserveCapacity(capacity) }

    mutating func merge(
        _ cell: FoldCell, start: Timestamp, owner: Int32, text: Int32
    ) {
        let place = Place(start: start, owner: owner, meter: cell.key.meter, text: text)
        if let index = indexes[place] {
            // Bounded by the batch's magnitude (see PartitionFold), so it cannot overflow.
            rows[index].state.merge(cell.state, cell.aggregation)
        } else {
            indexes[place] = rows.count
            rows.append((place, cell.aggregation, cell.state))
        }
    }

    /// In the order of the ledger's key, up to the meters of one customer.
    func deltas(
        _ window: RollupWindow, _ places: BatchPlaces, _ snapshot: CatalogSnapshot
    ) -> [RollupDelta] {
        rows.sorted { $0.place.precedes($1.place) }.map { row in
            RollupDelta(
                customer: places.customers[Int(row.place.owner)],
                meter: snapshot.meters[Int(row.place.meter)].key, window: window,
                start: row.place.start, dimensions: places.texts[Int(row.place.text)],
                aggregation: row.aggregation, delta: row.state)
        }
    }
}

/// States of usage rows, merged by row and by the quotas that they are scored by.
struct UsageMerger {
    private struct Place: Hashable {
        var periodEnd: Timestamp
        var periodStart: Timestamp
        var owner: Int32
        var meter: Int32
        /// Where the segment of entitlements begins that the events lie in.
        var segmentStart: Timestamp

        /// Deltas of one row come in the order of time: what was used under the earlier terms had
        /// been used when the later ones began.
        func precedes(_ other: Place) -> Bool {
            if periodEnd != other.periodEnd { return periodEnd < other.periodEnd }
            if periodStart != other.periodStart { return periodStart < other.periodStart }
            if owner != other.owner { return owner < other.owner }
            if meter != other.meter { return meter < other.meter }
            return segmentStart < other.segmentStart
        }
    }

    private var rows: [(place: Place, delta: UsageDelta)] = []
    private var indexes: [Place: Int] = [:]

    init(capacity: Int) { indexes.reserveCapacity(capacity) }

    mutating func merge(
        _ key: UsageKey, _ level: BatchPlaces.Level, _ cell: FoldCell, _ at: Timestamp
    ) {
        let place = Place(
            periodEnd: key.period.end, periodStart: key.period.start, owner: level.ownerRank,
            meter: cell.key.meter, segmentStart: level.segment.start)
        if let index = indexes[place] {
            // Bounded by the batch's magnitude (see PartitionFold), so it cannot overflow.
            rows[index].delta.delta.merge(cell.state, cell.aggregation)
            rows[index].delta.admitted += cell.admitted
            rows[index].delta.admittedHere += cell.admittedHere
        } else {
            indexes[place] = rows.count
            rows.append(
                (
                    place,
                    UsageDelta(
                        key: key, aggregation: cell.aggregation, delta: cell.state,
                        admitted: cell.admitted, admittedHere: cell.admittedHere, scoredAt: at)
                ))
        }
    }

    /// In the order of the ledger's key, up to the meters of one customer.
    var deltas: [UsageDelta] {
        rows.sorted { $0.place.precedes($1.place) }.map(\.delta)
    }

    var admittedHere: [UsageKey: Int64] {
        var units: [UsageKey: Int64] = [:]
        for (_, delta) in rows where delta.admitted != 0 {
            units[delta.key, default: 0] += delta.admittedHere
        }
        return units
    }
}
