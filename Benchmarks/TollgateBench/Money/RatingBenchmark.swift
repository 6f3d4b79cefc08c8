import MeteringModel
import Rating

/// Usage lines rated per second under a graduated price of five tiers, beside the least that could
/// be done: a walk through the same tiers with plain 64-bit products, without exactness, overflow
/// checks, explanations or keys.
struct RatingBenchmark {
    let options: BenchOptions
    let report: Report

    /// Ends of all tiers but the last, and prices in millionths of a euro.
    private static let tiers: [(upTo: Int64?, unit: Int64)] = [
        (10_000, 200), (100_000, 150), (1_000_000, 100), (10_000_000, 70), (nil, 50),
    ]

    func run() throws {
        let count = options.isSmoke ? 5_000 : 200_000
        var draws = Draws(seed: 11)
        let readings = (0..<count).map { _ in Int64(draws.next() % 20_000_000) }
        let charges = try readings.map { try Self.charge($0) }
        var (ours, plain) = (Checksum(), Checksum())
        let nanoseconds = try Measure.alternating(runs: options.runs) {
            ours = Checksum()
            return try Measure.nanoseconds {
                for charge in charges {
                    for line in try UsageRating.lines(charge) { ours.add(line.amount) }
                }
            }
        } _: {
            plain = Checksum()
            return Measure.nanoseconds {
                for reading in readings { plain.add(Self.cents(reading)) }
            }
        }
        guard ours.value == plain.value else {
            throw BenchmarkFailure("rated \(ours.text), but plain products make \(plain.text)")
        }
        report.add(
            ReportRow(
                name: "usage lines rated, 5 graduated tiers",
                ours: (Double(count) / nanoseconds.first * 1e9).rate,
                reference: (Double(count) / nanoseconds.second * 1e9).rate
                    + " (Int64 products)",
                ratio: (nanoseconds.first / nanoseconds.second).short + "×"))
    }

    private static func charge(_ reading: Int64) throws -> UsageCharge {
        guard let euro = Currency("EUR") else { throw BenchmarkFailure("there is no euro") }
        let period = Period(
            start: Timestamp(seconds: 1_793_491_200), end: Timestamp(seconds: 1_796_083_200))
        let price = UsagePrice(
            model: .graduated(
                tiers.map {
                    PriceTier(upTo: $0.upTo, unit: ExactDecimal(units: Int128($0.unit), scale: 6))
                }))
        return UsageCharge(
            feature: "tokens", meter: "tokens", scale: 0, period: period,
            spans: [
                UsageSpan(
                    from: period.start, to: period.end, price: price, currency: euro,
                    source: "plan pro v1", limit: nil, before: 0, after: reading)
            ])
    }

    /// Halves away from zero; readings and prices are small enough for 64 bits.
    private static func cents(_ reading: Int64) -> Int64 {
        var (millionths, lower) = (Int64(0), Int64(0))
        for tier in tiers {
            let upper = tier.upTo ?? .max
            if reading <= lower { break }
            millionths += (min(reading, upper) - lower) * tier.unit
            lower = upper
        }
        return (millionths + 5_000) / 10_000
    }
}
