public import MeteringModel

/// Remembers, per (customer, meter), the last segment of time that was asked for, so that most
/// events need two comparisons instead of calendar arithmetic.
public struct SegmentCache: ~Copyable {
    private var segments: [Period]
    private let meterCount: Int

    public init(customerCount: Int, meterCount: Int) {
        self.meterCount = Swift.max(1, meterCount)
        let empty = Period(start: Timestamp(microseconds: 0), end: Timestamp(microseconds: 0))
        segments = [Period](
            repeating: empty, count: Swift.max(1, customerCount) * self.meterCount)
    }

    /// - Parameter make: computes the segment around the instant; asked only on a miss.
    @inline(__always)
    public mutating func start(
        customer: Int32, meter: Int32, at: Timestamp, make: () -> Period
    ) -> Int64 {
        let index = Int(customer) &* meterCount &+ Int(meter)
        if segments[index].contains(at) { return segments[index].start.microseconds }
        let segment = make()
        segments[index] = segment
        return segment.start.microseconds
    }
}
