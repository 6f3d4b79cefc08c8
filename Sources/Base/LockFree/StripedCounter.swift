import Glibc
import Synchronization

/// A sum for metrics that many threads add to: each thread adds to one of eight stripes on their own
/// cache lines, and only reading visits all of them.
public final class StripedCounter: Sendable {
    private static let stripeCount = 8

    /// 64 bytes apart, so no two stripes share a cache line.
    private struct Stripe: ~Copyable {
        let value = Atomic<Int64>(0)
        let padding: (Int64, Int64, Int64, Int64, Int64, Int64, Int64) = (0, 0, 0, 0, 0, 0, 0)
    }

    private let stripes: InlineArray<8, Stripe>

    public init() {
        stripes = InlineArray { _ in Stripe() }
    }

    /// Adds; wraps around past the bounds of `Int64`.
    public func add(_ delta: Int64) {
        // Relaxed: a count orders nothing else.
        stripes[Self.stripeOfThisThread].value.wrappingAdd(delta, ordering: .relaxed)
    }

    /// The sum of all adds that happened before; adds under way may or may not be in it.
    public var sum: Int64 {
        var total: Int64 = 0
        for index in 0..<Self.stripeCount {
            total &+= stripes[index].value.load(ordering: .relaxed)
        }
        return total
    }

    /// The thread's control block is at an address of its own, a multiple of the page size apart
    /// from others; mixing its high bits spreads threads over the stripes.
    private static var stripeOfThisThread: Int {
        let mixed = UInt64(pthread_self()) &* 0x9e37_79b9_7f4a_7c15
        return Int(mixed &>> 61)
    }
}
