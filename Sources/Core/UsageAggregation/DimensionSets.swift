public import MeteringModel

/// Which sets of dimension values a meter keeps apart. It has room for so many in each month of the
/// log's append time; those that come later in the month count together.
///
/// What it decides follows from the order of the log alone, as long as the sets that it has admitted
/// are remembered: a set once admitted stays admitted until the month is over.
public struct DimensionSets: Sendable {
    /// A meter's room in one month.
    public struct Place: Hashable, Sendable {
        public var meter: MeterKey
        /// Months since 1970-01, UTC.
        public var month: Int32
        public init(meter: MeterKey, month: Int32) {
            self.meter = meter
            self.month = month
        }
    }

    private var admitted: [Place: Set<UInt64>] = [:]
    private var overflows: [Place: Int64] = [:]

    public init() {}

    /// - Parameters:
    ///   - set: its keyed hash.
    ///   - groupsMax: how many sets there is room for.
    /// - Returns: whether the set is kept apart, and whether it was not known before.
    public mutating func admit(
        _ set: UInt64, at place: Place, groupsMax: Int
    ) -> (isKept: Bool, isNew: Bool) {
        let count = admitted[place]?.count ?? 0
        if admitted[place]?.contains(set) == true { return (true, false) }
        if count >= groupsMax {
            overflows[place, default: 0] &+= 1
            return (false, false)
        }
        admitted[place, default: []].insert(set)
        return (true, true)
    }

    /// Takes over what was admitted before this process began.
    public mutating func restore(_ set: UInt64, at place: Place) {
        admitted[place, default: []].insert(set)
    }

    /// Forgets the sets of months before this one.
    public mutating func removeAll(before month: Int32) {
        admitted = admitted.filter { $0.key.month >= month }
    }

    /// Events that counted with others since the last call, by place.
    public mutating func takeOverflows() -> [Place: Int64] {
        let taken = overflows
        overflows.removeAll()
        return taken
    }
}
