import Forecasting
import MeteringModel
import Testing

@Suite("Exhaustion of limits") struct ExhaustionTests {
    @Test("a steady pace reaches the limit at an instant that can be computed by hand")
    func steady() throws {
        // 100 units a day since 2 November; on the 12th, 12:00, 1,050 are used of 2,000.
        let model = UsageModel(days(Array(repeating: 100, count: 10), from: monday))
        let found = try #require(
            Exhaustion.forecast(
                model, used: 1_050, limit: 2_000, now: try at("2026-11-12T12:00:00Z"),
                end: try at("2026-12-01T00:00:00Z"), zone: .utc))
        // 950 left at 100 a day: nine and a half days on.
        #expect(found.expected == (try at("2026-11-22T00:00:00Z")))
        #expect(found.earliest == found.expected && found.latest == found.expected)
        #expect(found.method == .runRate)
        #expect(found.atPeriodEnd.expected == 1_050 + 1_850)
    }

    @Test("weekends do not use a limit up") func season() throws {
        let week: [Double] = [100, 100, 100, 100, 100, 0, 0]
        let model = UsageModel(days(week + week, from: monday))
        // Friday night; 550 of 1,000 used: five working days of 100, so Monday week has the rest.
        let found = try #require(
            Exhaustion.forecast(
                model, used: 550, limit: 1_000, now: try at("2026-11-21T00:00:00Z"),
                end: try at("2026-12-05T00:00:00Z"), zone: .utc))
        #expect(found.method == .weekdaySeasonal)
        #expect(found.expected == (try at("2026-11-27T12:00:00Z")))
    }

    @Test("the range lies around the expected instant, and may have no end") func range() throws {
        let model = UsageModel(days([40, 160, 90, 110, 60, 140, 100], from: monday))
        let now = try at("2026-11-09T00:00:00Z")
        let end = try at("2026-12-01T00:00:00Z")
        let found = try #require(
            Exhaustion.forecast(
                model, used: 700, limit: 1_800, now: now, end: end, zone: .utc))
        let (expected, earliest) = (try #require(found.expected), try #require(found.earliest))
        let latest = try #require(found.latest)
        #expect(now < earliest && earliest < expected && expected < latest && latest < end)
        let far = try #require(
            Exhaustion.forecast(
                model, used: 700, limit: 2_950, now: now, end: end, zone: .utc))
        #expect(far.earliest != nil)
        #expect(far.expected == nil && far.latest == nil)
    }

    @Test("no answer where there is none to give") func none() throws {
        let now = try at("2026-11-12T00:00:00Z")
        let end = try at("2026-12-01T00:00:00Z")
        let short = UsageModel(days([10, 10], from: monday))
        let model = UsageModel(days([10, 10, 10], from: monday))
        func forecast(_ model: UsageModel, _ used: Int64, _ end: Timestamp) -> Exhaustion? {
            Exhaustion.forecast(
                model, used: used, limit: 100, now: now, end: end, zone: .utc)
        }
        #expect(forecast(short, 20, end) == nil)
        #expect(forecast(model, 100, end) == nil)
        #expect(forecast(model, 20, now) == nil)
        #expect(forecast(model, 20, .distantFuture) == nil)
        #expect(forecast(model, 20, end)?.expected == (try at("2026-11-20T00:00:00Z")))
    }

    @Test("usage without end does not leave the range of numbers") func extremes() throws {
        let model = UsageModel(days([9e18, 9e18, 9e18], from: monday))
        let found = try #require(
            Exhaustion.forecast(
                model, used: .max - 1, limit: .max, now: try at("2026-11-12T00:00:00Z"),
                end: try at("2026-12-01T00:00:00Z"), zone: .utc))
        #expect(Estimate.units(found.atPeriodEnd.high) == .max)
        #expect(Estimate.units(-1) == 0)
        #expect(Estimate.units(.nan) == 0)
        #expect(Estimate.units(2.5) == 3)
    }
}
