import MeteringModel
import Testing
import UsageAggregation

@Suite("Segment cache")
struct SegmentCacheTests {
    private static func hour(_ at: Timestamp) -> Period {
        let start = at.seconds.floorDivided(by: 3_600) * 3_600
        return Period(start: Timestamp(seconds: start), end: Timestamp(seconds: start + 3_600))
    }

    @Test func asksOncePerSegment() {
        var cache = SegmentCache(capacity: 4)
        var asked = 0
        for second in [Int64(10), 20, 3_599, 3_600, 3_700, 30] {
            let at = Timestamp(seconds: second)
            let start = cache.start(customer: 3, meter: 1, at: at) {
                asked += 1
                return Self.hour(at)
            }
            #expect(start == Self.hour(at).start.microseconds)
        }
        #expect(asked == 3)
    }

    @Test func forgetsAll() {
        var cache = SegmentCache()
        var asked = 0
        for _ in 0..<3 {
            _ = cache.start(customer: 0, meter: 0, at: Timestamp(seconds: 5)) {
                asked += 1
                return Self.hour(Timestamp(seconds: 5))
            }
            cache.removeAll()
        }
        #expect(asked == 3)
    }

    @Test func staysRightAndSmallHoweverManyCustomers() {
        var cache = SegmentCache(capacity: 4, capacityMax: 64)
        for customer in 0..<2_000 as Range<Int32> {
            for meter in 0..<3 as Range<Int32> {
                let at = Timestamp(seconds: Int64(customer) * 977 + Int64(meter))
                for _ in 0..<2 {
                    let start = cache.start(customer: customer, meter: meter, at: at) {
                        Self.hour(at)
                    }
                    #expect(start == Self.hour(at).start.microseconds)
                }
            }
        }
        #expect(cache.capacity == 64)
    }
}
