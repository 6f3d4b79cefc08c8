public import MeteringModel

/// What one cell of a fold is about. Indexes are those of one catalog snapshot; `segmentStart` is
/// the start (µs) of the longest stretch of time around the event in which its hour, day and every
/// period are constant, so that all of them can be told from it later.
public struct FoldKey: Hashable, Sendable {
    public var customer: Int32
    public var meter: Int32
    public var segmentStart: Int64
    public var dimensions: Int32

    public init(customer: Int32, meter: Int32, segmentStart: Int64, dimensions: Int32) {
        self.customer = customer
        self.meter = meter
        self.segmentStart = segmentStart
        self.dimensions = dimensions
    }

    @inline(__always)
    var mixed: UInt64 {
        var hash =
            UInt64(UInt32(bitPattern: customer)) | UInt64(UInt32(bitPattern: meter)) &<< 32
        hash = (hash ^ UInt64(bitPattern: segmentStart)) &* 0x9e37_79b9_7f4a_7c15
        hash ^= hash &>> 29
        hash = (hash &+ UInt64(UInt32(bitPattern: dimensions))) &* 0xbf58_476d_1ce4_e5b9
        hash ^= hash &>> 32
        return hash
    }
}

/// One cell: the merged state of its events, and the units among them that the gate had charged.
public struct FoldCell: Sendable {
    public var key: FoldKey
    public var aggregation: Aggregation
    public var state: UsageState
    /// Units charged at admission, by any node.
    public var admitted: Int64
    /// Units charged at admission by this process.
    public var admittedHere: Int64
    /// Events and units that came after their period was closed.
    public var lateCount: Int64
    public var lateValue: Int64
}

/// Folds events into cells: an open-addressing table over a dense array, reused batch after batch
/// so that the steady state allocates nothing (unique counts excepted).
public struct FoldTable: ~Copyable {
    public private(set) var cells: [FoldCell] = []
    private var slots: [Int32]

    public init(minimumCapacity: Int = 4_096) {
        var capacity = 64
        while capacity < minimumCapacity { capacity *= 2 }
        slots = [Int32](repeating: -1, count: capacity)
        cells.reserveCapacity(capacity / 2)
    }

    public var isEmpty: Bool { cells.isEmpty }

    /// Adds one event (count: `value` is 1, or the units that one admission charged). Returns false, and changes nothing, when the cell's total would overflow.
    public mutating func add(
        _ key: FoldKey, _ aggregation: Aggregation, value: Int64, at: Int64, member: UInt64,
        admitted: Int64, admittedHere: Int64, isLate: Bool
    ) -> Bool {
        let index = cellIndex(key, aggregation)
        let isMerged = Self.merge(
            &cells[index].state, aggregation, value: value, at: at, member: member)
        if !isMerged { return false }
        if admitted != 0 {
            cells[index].admitted &+= admitted
            cells[index].admittedHere &+= admittedHere
        }
        if isLate {
            cells[index].lateCount &+= 1
            cells[index].lateValue &+= value
        }
        return true
    }

    public mutating func removeAll() {
        if cells.count * 8 < slots.count {
            // Sparse: clearing by key beats sweeping the whole table.
            for cell in cells { clear(cell.key) }
        } else {
            for index in slots.indices { slots[index] = -1 }
        }
        cells.removeAll(keepingCapacity: true)
    }

    @inline(__always)
    private static func merge(
        _ state: inout UsageState, _ aggregation: Aggregation, value: Int64, at: Int64,
        member: UInt64
    ) -> Bool {
        switch aggregation {
        case .count, .sum, .avg:
            let (sum, overflow) = state.value.addingReportingOverflow(value)
            if overflow { return false }
            state.value = sum
            state.count &+= 1
            return true
        case .unique:
            if state.distinct == nil { state.distinct = DistinctSketch() }
            state.distinct?.insert(member)
            state.value = state.distinct?.estimate ?? 0
            state.count &+= 1
            return true
        case .max, .min, .latest:
            return state.merge(.one(aggregation, value: value, at: at), aggregation)
        }
    }

    @inline(__always)
    private mutating func cellIndex(_ key: FoldKey, _ aggregation: Aggregation) -> Int {
        var mask = slots.count &- 1
        var slot = Int(truncatingIfNeeded: key.mixed) & mask
        while true {
            let index = Int(slots[slot])
            if index < 0 { break }
            if cells[index].key == key { return index }
            slot = (slot &+ 1) & mask
        }
        if cells.count * 2 >= slots.count {
            grow()
            mask = slots.count &- 1
            slot = Int(truncatingIfNeeded: key.mixed) & mask
            while slots[slot] >= 0 { slot = (slot &+ 1) & mask }
        }
        slots[slot] = Int32(truncatingIfNeeded: cells.count)
        cells.append(
            FoldCell(
                key: key, aggregation: aggregation, state: UsageState(), admitted: 0,
                admittedHere: 0, lateCount: 0, lateValue: 0))
        return cells.count &- 1
    }

    private mutating func grow() {
        slots = [Int32](repeating: -1, count: slots.count * 2)
        let mask = slots.count &- 1
        for index in cells.indices {
            var slot = Int(truncatingIfNeeded: cells[index].key.mixed) & mask
            while slots[slot] >= 0 { slot = (slot &+ 1) & mask }
            slots[slot] = Int32(truncatingIfNeeded: index)
        }
    }

    private mutating func clear(_ key: FoldKey) {
        // Every cell goes, so holes in probe chains do no harm: sweep the chain from its home slot.
        let mask = slots.count &- 1
        var slot = Int(truncatingIfNeeded: key.mixed) & mask
        while slots[slot] != -1 {
            slots[slot] = -1
            slot = (slot &+ 1) & mask
        }
    }
}
