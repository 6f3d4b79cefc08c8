import Enforcement
import MeteringModel
import MeteringPorts

/// How long a page of the near-limit list takes, whatever number of (customer, feature) pairs the
/// index holds; beside sorting all of them anew for each page.
struct NearLimitBenchmark {
    let options: BenchOptions
    let report: Report

    private static let featureCount = 5
    private static let pageSize = 50

    func run() throws {
        for pairs in options.isSmoke ? [10_000, 50_000] : [10_000, 1_000_000] {
            try measure(pairs)
        }
    }

    private func measure(_ pairs: Int) throws {
        let index = NearLimitIndex()
        let now = Timestamp(seconds: 1_793_000_000)
        let entries = Self.entries(pairs, now)
        for (key, entry) in entries.enumerated() { index.update(UInt64(key), entry) }
        let pageCount = options.isSmoke ? 100 : 2_000
        var latencies: [Double] = []
        latencies.reserveCapacity(pageCount)
        var cursor: String?
        var shown = 0
        for _ in 0..<pageCount {
            var page: (entries: [NearLimitEntry], next: String?) = ([], nil)
            latencies.append(
                try Measure.nanoseconds {
                    page = try index.page(
                        overBasisPoints: 8_000, limit: Self.pageSize, cursor: cursor, now: now)
                })
            shown += page.entries.count
            cursor = page.next
        }
        guard shown > 0 else { throw BenchmarkFailure("the near-limit list is empty") }
        latencies.sort()
        let scan = Measure.median(
            (0..<options.runs).map { _ in
                Measure.nanoseconds {
                    let found = entries.filter { $0.shareBasisPoints >= 8_000 }.sorted {
                        ($1.shareBasisPoints, $0.customer) < ($0.shareBasisPoints, $1.customer)
                    }
                    precondition(!found.isEmpty, "the scan finds what the index finds")
                }
            })
        let (median, p99) = (latencies[pageCount / 2], latencies[pageCount * 99 / 100])
        report.add(
            ReportRow(
                name: "near-limit page of \(Self.pageSize), \(pairs) pairs",
                ours: "p50 \((median / 1e6).short) ms, p99 \((p99 / 1e6).short) ms",
                reference: "full scan \((scan / 1e6).short) ms",
                ratio: (scan / median).short + " ×", reachFirst: "p99 ≤ 50 ms",
                isMet: p99 <= 50e6))
    }

    private static func entries(_ pairs: Int, _ now: Timestamp) -> [NearLimitEntry] {
        var draws = Draws(seed: 11)
        let period = Period(start: now.adding(seconds: -86_400), end: now.adding(seconds: 86_400))
        return (0..<pairs).map { number in
            // One in ten stands at the limit exactly, as those whom it has stopped do.
            let share = draws.next() % 10 == 0 ? 10_000 : Int64(draws.next() % 12_000)
            return NearLimitEntry(
                customer: Workload.customer(number / featureCount),
                feature: FeatureKey("feature\(number % featureCount)"), plan: "pro", used: share,
                limit: 10_000, scale: 0, shareBasisPoints: share, period: period,
                timeZone: "UTC", enforcement: .hard, projectedExhaustion: nil)
        }
    }
}
