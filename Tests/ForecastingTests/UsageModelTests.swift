import Forecasting
import MeteringModel
import Testing

@Suite("Usage models") struct UsageModelTests {
    /// What each history is carried on by, and what it says of the seven days that follow.
    @Test(
        "which method, and how much in the next seven days",
        arguments: [
            ([], UsageModel.Method.notEnoughData, nil),
            ([10, 10], .notEnoughData, nil),
            // Silence before the first usage is no history.
            ([0, 0, 0, 0, 10, 10], .notEnoughData, nil),
            ([10, 10, 10], .runRate, 70),
            ([0, 0, 10, 20, 30], .runRate, 140),
            // Silence after it is.
            ([30, 0, 0], .runRate, 70),
            (Array(repeating: 10, count: 13), .runRate, 70),
            ([10, 10, 10, 10, 10, 0, 0, 10, 10, 10, 10, 10, 0, 0], .weekdaySeasonal, 50),
            // Five weeks: the first is too long ago.
            (
                Array(repeating: 1_000, count: 7) + Array(repeating: 10, count: 28),
                .weekdaySeasonal, 70
            ),
        ] as [([Double], UsageModel.Method, Double?)])
    func methods(_ values: [Double], _ method: UsageModel.Method, _ week: Double?) {
        let model = UsageModel(days(values, from: monday))
        #expect(model.method == method)
        let next = days(
            Array(repeating: 0, count: 7), from: monday.adding(days: values.count))
        let total = model.total(of: next)
        #expect(total.map { $0.expected.rounded() } == week)
    }

    @Test("weekends are forecast as weekends") func season() throws {
        let model = UsageModel(
            days([10, 10, 10, 10, 10, 0, 0, 10, 10, 10, 10, 10, 0, 0], from: monday))
        let saturday = days([0], from: CivilDate(year: 2026, month: 11, day: 21))
        let friday = days([0], from: CivilDate(year: 2026, month: 11, day: 20))
        #expect(try #require(model.total(of: saturday)) == .zero)
        #expect(try #require(model.total(of: friday)).expected == 10)
    }

    @Test("a steady history has a range of no width; a wild one a wide range") func ranges() throws
    {
        let next = days(Array(repeating: 0, count: 5), from: monday.adding(days: 20))
        let steady = UsageModel(days(Array(repeating: 10, count: 10), from: monday))
        let total = try #require(steady.total(of: next))
        #expect(total.low == total.high)
        // Hand-computed: mean 10, squares 225 + 100 + 0 + 25 + 100 over n − 1 = 4 make 112.5,
        // t(4) = 1.533; five days ahead: 112.5 × 5 + 112.5 × 25 / 5 = 1,125.
        let wild = UsageModel(days([25, 0, 10, 15, 0], from: monday))
        let range = try #require(wild.total(of: next))
        #expect(range.expected == 50)
        #expect(range.low == 0)
        let variance = 112.5
        let spread: Double = variance * 5 + variance * 25 / 5
        let error: Double = spread.squareRoot() * 1.533
        #expect(abs(range.high - 50 - error) < 0.001)
    }

    @Test(
        "a day of 23 or 25 hours is neither low nor high",
        arguments: [
            CivilDate(year: 2026, month: 3, day: 23), CivilDate(year: 2026, month: 10, day: 19),
        ]) func clockChange(_ first: CivilDate) throws
    {
        let berlin = try zone("Europe/Berlin")
        // 100 units an hour, in a week whose Sunday changes the clock.
        var history = days(Array(repeating: 0, count: 7), from: first, zone: berlin)
        var hours: [Int64] = []
        for index in history.indices {
            let period = history[index].period
            hours.append(period.end.microseconds(since: period.start) / 3_600_000_000)
            history[index].value = Double(hours[index]) * 100
        }
        #expect(hours.contains { $0 != 24 })
        let model = UsageModel(history)
        let next = days(Array(repeating: 0, count: 7), from: first.adding(days: 7), zone: berlin)
        let total = try #require(model.total(of: next))
        #expect(abs(total.expected - 16_800) < 0.001)
        #expect(total.high - total.low < 0.001)
    }

    @Test("part of a day counts as its part") func partOfDay() throws {
        let model = UsageModel(days([24, 24, 24], from: monday))
        let noon = try at("2026-11-05T12:00:00Z")
        let ahead = DayCalendar.days(
            from: noon, to: try at("2026-11-06T06:00:00Z"), zone: .utc, countMax: 10)
        #expect(ahead.count == 2)
        #expect(ahead.map(\.group) == [4, 5])
        #expect(try #require(model.total(of: ahead)).expected == 18)
    }

    @Test("more usage in the past is never a smaller forecast, and ranges hold their middle")
    func monotone() throws {
        let seed = UInt64.random(in: .min ... .max)
        for round in 0..<200 as Range<UInt64> {
            let series = SyntheticUsage.days(
                Int(3 + (seed &+ round) % 60), from: monday, zone: .utc, mean: 1_000, growth: 0.5,
                noise: 0.1, seed: seed &+ round)
            let next = days(
                Array(repeating: 0, count: 10), from: monday.adding(days: series.count))
            let more = series.map { step in
                var step = step
                step.value += 10
                return step
            }
            let total = try #require(UsageModel(series).total(of: next), "seed \(seed)")
            let larger = try #require(UsageModel(more).total(of: next), "seed \(seed)")
            #expect(total.low <= total.expected && total.expected <= total.high, "seed \(seed)")
            #expect(larger.expected >= total.expected, "seed \(seed), round \(round)")
            #expect(UsageModel(series).total(of: next) == total, "seed \(seed)")
        }
    }
}
