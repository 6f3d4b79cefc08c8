import MeteringModel
import Rating
import Testing

/// Prices and limits that change within a November of 30 days; computed by hand.
@Suite struct UsageSpanTests {
    private static func amounts(_ lines: [RatedLine]) -> [Int64] { lines.map(\.amount) }

    @Test func allowancesAreUsedUpInTheOrderOfTime() throws {
        // 1,000 included in both: v1 takes 1,500 (500 billable at 0.10), v2 the next 500 at 0.20.
        let old = try UsageCaseTests.perUnit("0.10", included: .units(1_000))
        let new = try UsageCaseTests.perUnit("0.20", included: .units(1_000))
        let lines = try UsageRating.lines(
            charge([("2026-11-11", old, 1_500), ("2026-12-01", new, 2_000)]))
        #expect(Self.amounts(lines) == [5_000, 10_000])
        #expect(lines.map(\.quantity) == [500, 500])
        #expect(lines.map(\.includedQuantity) == [1_000, 0])
    }

    @Test func tiersGoOnUnderTheNextPrice() throws {
        // The first 1,000 at 0.10 are used up under v1; v2's tiers begin at 1,200, not anew.
        let old = UsagePrice(model: .graduated(try UsageCaseTests.tiers()))
        let new = UsagePrice(
            model: .graduated([try tier(1_000, "0.50"), try tier(nil, "0.02", flat: "7")]))
        let lines = try UsageRating.lines(
            charge([("2026-11-16", old, 1_200), ("2026-12-01", new, 2_200)]))
        // 100 + 200 × 0.05 + 5; then 1,000 × 0.02: the flat's tier was reached before.
        #expect(Self.amounts(lines) == [11_500, 2_000])
    }

    @Test func unpricedUsageCostsNothingButFillsTiers() throws {
        let price = try UsageCaseTests.perUnit("0.01", included: .units(1_000))
        let lines = try UsageRating.lines(
            charge([("2026-11-08", nil, 900), ("2026-12-01", price, 1_300)]))
        #expect(Self.amounts(lines) == [300])
        #expect(lines.map(\.includedQuantity) == [100])
    }

    @Test func flatIsForTheTimeInForce() throws {
        // 10 of 30 days of 10.00, 20 of 30 days of 20.00.
        let lines = try UsageRating.lines(
            charge([
                ("2026-11-11", UsagePrice(model: .flat(try decimal("10"))), 5),
                ("2026-12-01", UsagePrice(model: .flat(try decimal("20"))), 9),
            ]))
        #expect(Self.amounts(lines) == [333, 1_333])
        #expect(lines.map(\.exactText) == ["10/3", "40/3"])
        #expect(
            lines.map(\.proration) == [
                RatedLine.Proration(numerator: 864_000, denominator: 2_592_000),
                RatedLine.Proration(numerator: 1_728_000, denominator: 2_592_000),
            ])
    }

    @Test func minimumsAreForTheTimeInForce() throws {
        // 30.00 for 10 days and 60.00 for 20 days: 10 + 40 = 50; used 12 + 8.
        let old = try UsageCaseTests.perUnit("0.01", minimum: "30")
        let new = try UsageCaseTests.perUnit("0.02", minimum: "60")
        let lines = try UsageRating.lines(
            charge([("2026-11-11", old, 1_200), ("2026-12-01", new, 1_600)]))
        #expect(lines.map(\.kind) == [.usage, .usage, .minimum])
        #expect(Self.amounts(lines) == [1_200, 800, 3_000])
    }

    @Test func aMaximumCountsWhatWasUsedBefore() throws {
        // Under v1 8.00; v2 caps at 10.00: f(1,500) − f(800) = 10 − 8.
        let old = try UsageCaseTests.perUnit("0.01")
        let new = try UsageCaseTests.perUnit("0.01", maximum: "10")
        let lines = try UsageRating.lines(
            charge([("2026-11-11", old, 800), ("2026-12-01", new, 1_500)]))
        #expect(Self.amounts(lines) == [800, 200])
    }

    @Test func aGrantInMidPeriodCountsFromThenOn() throws {
        // 150 used at limit 100: 50 billable. Limit 200 then takes the next 50 for nothing.
        let price = try UsageCaseTests.perUnit("1", included: .limit)
        var charge = try charge([("2026-11-11", price, 150), ("2026-12-01", price, 230)])
        charge.spans[0].limit = .finite(100)
        charge.spans[1].limit = .finite(200)
        let lines = try UsageRating.lines(charge)
        #expect(Self.amounts(lines) == [5_000, 3_000])
    }

    @Test func volumeSettlesWhatTheCheaperTierSaves() throws {
        // 1,000 cost 100.00 at 0.10; 1,200 cost 65.00 in all, so that 35.00 come back.
        let price = UsagePrice(model: .volume(try UsageCaseTests.tiers()))
        var charge = try charge([("2026-11-11", price, 1_000), ("2026-12-01", price, 1_200)])
        charge.spans[1].source = "plan pro v2"
        let lines = try UsageRating.lines(charge)
        #expect(Self.amounts(lines) == [10_000, -3_500])
        #expect(lines[1].parts.map(\.quantity) == [-1_000, 1_200])
    }

    @Test func spansOfOnePriceAreOneLine() throws {
        let price = try UsageCaseTests.perUnit("0.003")
        let lines = try UsageRating.lines(
            charge([
                ("2026-11-08", price, 1), ("2026-11-15", price, 2), ("2026-12-01", price, 3),
            ]))
        #expect(Self.amounts(lines) == [1])
        #expect(lines.map(\.exactText) == ["0.009"])
    }

    @Test func aPeriodThatStillRunsIsRatedSoFar() throws {
        let flat = UsagePrice(model: .flat(try decimal("30")))
        let lines = try UsageRating.lines(charge([("2026-11-16", flat, 7)]))
        #expect(Self.amounts(lines) == [1_500])
    }

    @Test func usageThatWasTakenBackIsCredited() throws {
        let price = try UsageCaseTests.perUnit("0.10")
        var charge = try charge([("2026-11-11", price, 100), ("2026-12-01", price, 40)])
        charge.spans[1].source = "plan pro v2"
        #expect(Self.amounts(try UsageRating.lines(charge)) == [1_000, -600])
    }

    @Test func twoCurrenciesHaveAMinimumEach() throws {
        let price = try UsageCaseTests.perUnit("0.01", minimum: "30")
        var charge = try charge([("2026-11-11", price, 100), ("2026-12-01", price, 300)])
        charge.spans[1].currency = try currency("USD")
        let lines = try UsageRating.lines(charge)
        #expect(lines.map(\.kind) == [.usage, .usage, .minimum, .minimum])
        #expect(Self.amounts(lines) == [100, 200, 900, 1_800])
        #expect(lines.map(\.currency.code) == ["EUR", "USD", "EUR", "USD"])
    }

    // MARK: what cannot be rated

    private static func code(_ charge: UsageCharge) -> RatingError.Code? {
        do {
            _ = try UsageRating.lines(charge)
            return nil
        } catch {
            return error.code
        }
    }

    @Test func badSpansAreRefused() throws {
        let price = try UsageCaseTests.perUnit("0.01")
        var gap = try charge([("2026-11-11", price, 100), ("2026-12-01", price, 300)])
        gap.spans[1].before = 99
        #expect(Self.code(gap) == .invalidSpans)
        #expect(
            Self.code(try charge([("2026-11-11", price, 1), ("2026-11-10", price, 2)]))
                == .invalidSpans)
        #expect(Self.code(try charge([("2026-12-02", price, 1)])) == .invalidSpans)
    }

    @Test func aPriceNeedsACurrency() throws {
        var charge = try charge(UsageCaseTests.perUnit("0.01"), used: 1)
        charge.spans[0].currency = nil
        #expect(Self.code(charge) == .missingCurrency)
    }

    @Test func whatIsTooLargeIsAnError() throws {
        let huge = try decimal("99999999999999999999999.123456789012")
        #expect(
            Self.code(try charge(UsagePrice(model: .perUnit(huge)), used: .max)) == .overflow)
        #expect(
            Self.code(try charge(UsageCaseTests.perUnit("1000"), used: .max)) == .overflow)
        let one = try UsageCaseTests.perUnit("1")
        #expect(
            Self.code(try charge([("2026-11-11", one, .min), ("2026-12-01", one, .max)]))
                == .overflow)
    }

    @Test func uselessPricesAreErrorsNotTraps() throws {
        let closed = UsagePrice(model: .graduated([try tier(10, "1")]))
        #expect(Self.code(try charge(closed, used: 11)) == .invalidPrice)
        #expect(
            Self.code(try charge(UsagePrice(model: .volume([])), used: 1)) == .invalidPrice)
        let package = UsagePrice(model: .package(size: 0, try decimal("1")))
        #expect(Self.code(try charge(package, used: 1)) == .invalidPrice)
        #expect(Self.code(try charge(closed, used: 1, scale: 40)) == .invalidPrice)
    }
}
