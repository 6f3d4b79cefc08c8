import Enforcement
import Foundation
import MeteringModel
import MeteringPorts
import Testing

/// The maintained list says what a look at everybody would say.
@Suite struct NearLimitIndexTests {
    private let now = Timestamp(seconds: 1_800_000_000)

    private func entry(
        _ customer: Int, _ feature: Int, share: Int64, isOver: Bool = false
    ) -> NearLimitEntry {
        NearLimitEntry(
            customer: CustomerID("c\(customer)"), feature: FeatureKey("f\(feature)"),
            plan: "plan\(customer % 3)", used: share, limit: 10_000, scale: 0,
            shareBasisPoints: share,
            period: Period(
                start: now.adding(seconds: -100), end: now.adding(seconds: isOver ? 0 : 100)),
            timeZone: "UTC", enforcement: .soft, projectedExhaustion: nil,
            owner: customer % 2 == 0 ? "mia" : nil)
    }

    private func scan(
        _ entries: [UInt64: NearLimitEntry], over: Int64, _ filter: NearLimitFilter
    ) -> [NearLimitEntry] {
        entries.values
            .filter {
                $0.shareBasisPoints >= over && $0.period.end > now && filter.matches($0)
            }
            .sorted {
                $0.shareBasisPoints != $1.shareBasisPoints
                    ? $0.shareBasisPoints > $1.shareBasisPoints
                    : ($0.customer, $0.feature) < ($1.customer, $1.feature)
            }
    }

    private func pages(
        _ index: NearLimitIndex, over: Int64, _ filter: NearLimitFilter, limit: Int
    ) throws -> [NearLimitEntry] {
        var found: [NearLimitEntry] = []
        var cursor: String?
        repeat {
            let page = try index.page(
                overBasisPoints: over, filter: filter, limit: limit, cursor: cursor, now: now)
            #expect(page.entries.count <= limit)
            found += page.entries
            cursor = page.next
        } while cursor != nil
        return found
    }

    /// 10,000 customers with 5 features each, through updates, removals and ends of periods.
    @Test(arguments: [1, 2] as [UInt64])
    func pagesEqualAFullScan(_ seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let index = NearLimitIndex()
        var entries: [UInt64: NearLimitEntry] = [:]
        func share() -> Int64 {
            // Many stand at exactly the limit, and some far above: few buckets hold most.
            switch Int.random(in: 0..<10, using: &random) {
            case 0: 10_000
            case 1: .random(in: 20_000...900_000, using: &random)
            default: .random(in: 0...12_000, using: &random)
            }
        }
        for customer in 0..<10_000 {
            for feature in 0..<5 {
                let key = UInt64(customer * 5 + feature)
                let made = entry(customer, feature, share: share(), isOver: customer % 97 == 0)
                entries[key] = made
                index.update(key, made)
            }
        }
        for _ in 0..<20_000 {
            let key = UInt64.random(in: 0..<50_000, using: &random)
            if Int.random(in: 0..<8, using: &random) == 0 {
                entries[key] = nil
                index.remove(key)
            } else {
                let made = entry(Int(key) / 5, Int(key) % 5, share: share())
                entries[key] = made
                index.update(key, made)
            }
        }
        #expect(index.count == entries.count)
        for (over, filter, limit) in [
            (8_000, NearLimitFilter(), 1_000), (10_000, NearLimitFilter(plan: "plan1"), 700),
            (9_900, NearLimitFilter(feature: "f3", owner: "mia"), 50),
            (0, NearLimitFilter(customer: "c42"), 2),
        ] as [(Int64, NearLimitFilter, Int)] {
            let found = try pages(index, over: over, filter, limit: limit)
            #expect(found == scan(entries, over: over, filter), "seed \(seed), over \(over)")
        }
    }

    /// Ids that meet where a cursor joins them, and of which no byte may be lost.
    @Test func cursorsKeepBytesApart() throws {
        let index = NearLimitIndex()
        let ids = ["a:1", "e", "e\u{301}", "\u{e9}", "\u{301}x"]
        for (number, id) in ids.enumerated() {
            var made = entry(0, 0, share: 9_000)
            made.customer = CustomerID(id)
            made.feature = "\u{301}f"
            index.update(UInt64(number), made)
        }
        let found = try pages(index, over: 0, NearLimitFilter(), limit: 1)
        #expect(found.map(\.customer) == ids.map { CustomerID($0) }.sorted())
        for cursor in ["", "x", "1:2", "1:9:ab", "1:-1:ab", "a:1:b"] {
            #expect(throws: QueryError.self) {
                try index.page(overBasisPoints: 0, limit: 1, cursor: cursor, now: now)
            }
        }
    }
}
