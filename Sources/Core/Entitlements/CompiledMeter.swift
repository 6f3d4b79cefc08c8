public import MeteringModel

/// A meter with its paths turned into slots: positions in `CatalogSnapshot.paths`, which an event
/// decoder fills once for all meters. A class, so that handing one on costs no copies of arrays.
public final class CompiledMeter: Sendable {
    public struct GroupSlot: Sendable, Hashable {
        public let name: String
        public let slot: Int
    }

    /// A condition on one slot: its text must be one of `accepted`.
    public struct FilterSlot: Sendable, Hashable {
        public let slot: Int
        public let accepted: [String]
        private let acceptedBytes: [[UInt8]]

        init(slot: Int, accepted: [String]) {
            self.slot = slot
            self.accepted = accepted
            acceptedBytes = accepted.map { Array($0.utf8) }
        }

        /// Whether `text` is one of the accepted values. Allocates nothing.
        public func accepts(_ text: RawSpan) -> Bool {
            for value in acceptedBytes where value.count == text.byteCount {
                // SAFETY: bytes are plain data, and the array outlives the comparison.
                if unsafe value.span.bytes.holds(text, at: 0) { return true }
            }
            return false
        }
    }

    /// Position in `CatalogSnapshot.meters`.
    public let meterIndex: Int
    public let aggregation: Aggregation
    /// Decimal places of the meter's smallest unit.
    public let scale: Int
    /// Nil for count.
    public let valueSlot: Int?
    public let groupBySlots: [GroupSlot]
    public let filters: [FilterSlot]
    public let allowsNegative: Bool
    /// Sets of dimension values that are kept apart in a month.
    public let groupsMax: Int

    init(
        meterIndex: Int, aggregation: Aggregation, scale: Int, valueSlot: Int?,
        groupBySlots: [GroupSlot], filters: [FilterSlot], allowsNegative: Bool,
        groupsMax: Int
    ) {
        self.meterIndex = meterIndex
        self.aggregation = aggregation
        self.scale = scale
        self.valueSlot = valueSlot
        self.groupBySlots = groupBySlots
        self.filters = filters
        self.allowsNegative = allowsNegative
        self.groupsMax = groupsMax
    }
}
