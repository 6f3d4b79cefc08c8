public import MeteringModel

/// Remembers, for (customer, meter) pairs asked for lately, the last segment of time, so that most
/// events need a few comparisons instead of calendar arithmetic.
///
/// Direct-mapped: a pair has one place, which another pair may take. Its size follows how often it
/// misses, up to a bound, and not how many customers there are.
public struct SegmentCache: ~Copyable {
    private struct Entry {
        var customer: Int32
        var meter: Int32
        var generation: Int64
        var start: Int64
        var end: Int64
        static let none = Entry(customer: -1, meter: -1, generation: 0, start: 0, end: 0)
    }

    private var entries: [Entry]
    private var generation: Int64 = 1
    private var misses = 0
    private let capacityMax: Int

    /// - Parameters: both are rounded up to a power of two.
    public init(capacity: Int = 1 << 10, capacityMax: Int = 1 << 17) {
        let first = Self.powerOfTwo(capacity)
        self.capacityMax = Swift.max(first, Self.powerOfTwo(capacityMax))
        entries = [Entry](repeating: .none, count: first)
    }

    /// Pairs that there is room for now.
    public var capacity: Int { entries.count }

    /// Forgets every segment, in constant time.
    public mutating func removeAll() { generation &+= 1 }

    /// - Parameter make: computes the segment around the instant; asked only on a miss.
    @inline(__always)
    public mutating func start(
        customer: Int32, meter: Int32, at: Timestamp, make: () -> Period
    ) -> Int64 {
        let index = Self.place(customer, meter) & (entries.count &- 1)
        let entry = entries[index]
        if entry.customer == customer, entry.meter == meter, entry.generation == generation,
            entry.start <= at.microseconds, at.microseconds < entry.end
        {
            return entry.start
        }
        let segment = make()
        remember(customer, meter, segment)
        return segment.start.microseconds
    }

    private mutating func remember(_ customer: Int32, _ meter: Int32, _ segment: Period) {
        misses &+= 1
        if misses > entries.count &* 4, entries.count < capacityMax {
            // So many misses in so little room: other pairs push each other out.
            entries = [Entry](repeating: .none, count: entries.count &* 2)
            misses = 0
        }
        entries[Self.place(customer, meter) & (entries.count &- 1)] = Entry(
            customer: customer, meter: meter, generation: generation,
            start: segment.start.microseconds, end: segment.end.microseconds)
    }

    @inline(__always)
    private static func place(_ customer: Int32, _ meter: Int32) -> Int {
        let pair = UInt64(UInt32(bitPattern: customer)) | UInt64(UInt32(bitPattern: meter)) &<< 32
        return Int(truncatingIfNeeded: (pair &* 0x9e37_79b9_7f4a_7c15) &>> 32)
    }

    private static func powerOfTwo(_ count: Int) -> Int {
        var power = 1
        while power < count { power *= 2 }
        return power
    }
}
