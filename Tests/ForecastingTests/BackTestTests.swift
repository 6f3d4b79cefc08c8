import Forecasting
import MeteringModel
import Testing

@Suite("Back-tests") struct BackTestTests {
    @Test("errors that can be computed by hand") func byHand() throws {
        // Cuts after 3, 4 and 5 steps forecast 10, 10 and 12.5 of 10, 20 and 10.
        let series = days([10, 10, 10, 10, 20, 10], from: monday)
        let result = BackTest.run(series, horizon: 1)
        #expect(result.cutCount == 3 && result.skippedCount == 2)
        let percentage = try #require(result.meanAbsolutePercentage)
        #expect(abs(percentage - (0 + 0.5 + 0.2) / 3) < 0.000_001)
        let symmetric = try #require(result.symmetricPercentage)
        #expect(abs(symmetric - (0 + 20.0 / 30 + 4.0 / 22) / 3) < 0.000_001)
        // The first cut's range has no width and holds 10, the second's none and misses 20.
        #expect(result.coverage == 2.0 / 3)
    }

    @Test("a series without enough steps is no test") func short() {
        let none = BackTest.run(days([1, 2], from: monday), horizon: 1)
        #expect(none.cutCount == 0 && none.meanAbsolutePercentage == nil && none.coverage == nil)
        #expect(BackTest.run([], horizon: 1) == BackTest())
        #expect(BackTest.run(days([1, 2, 3, 4], from: monday), horizon: 4) == BackTest())
    }

    @Test("with a season, weekdays beat the run rate, and the range is honest") func season() throws
    {
        let series = SyntheticUsage.days(
            365, from: CivilDate(year: 2026, month: 1, day: 1), zone: .utc, mean: 10_000,
            growth: 0.3, noise: 0.1, seed: 7)
        let seasonal = BackTest.run(series, horizon: 1, method: .weekdaySeasonal)
        var plain = series
        for index in plain.indices { plain[index].group = 0 }
        let rate = BackTest.run(plain, horizon: 1)
        let (own, other) = (
            try #require(seasonal.meanAbsolutePercentage), try #require(rate.meanAbsolutePercentage)
        )
        #expect(own < other / 2)
        #expect(try #require(seasonal.coverage) > 0.7)
    }

    @Test("the same seed is the same year; values fall into steps without gaps") func synthesis() {
        func year(_ seed: UInt64) -> [UsageStep] {
            SyntheticUsage.days(
                365, from: monday, zone: .utc, mean: 100, noise: 0.2, seed: seed)
        }
        #expect(year(1) == year(1))
        #expect(year(1) != year(2))
        let steps = DayCalendar.steps(
            of: [(Timestamp(seconds: 61), 2), (Timestamp(seconds: 250), 3)], secondsEach: 60)
        #expect(steps.map(\.value) == [2, 0, 0, 3])
        #expect(DayCalendar.steps(of: [], secondsEach: 60).isEmpty)
    }
}
