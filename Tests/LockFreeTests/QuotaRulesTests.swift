import MeteringModel
import QuotaEngine
import Testing

@Suite struct QuotaRulesTests {
    private static let period = Period(
        start: Timestamp(seconds: 0), end: Timestamp(seconds: 86_400))
    private static let instant = Timestamp(seconds: 77)

    private static func quota(
        _ limit: Limit, _ enforcement: EnforcementMode = .hard, _ thresholds: [Threshold] = []
    ) -> Quota {
        Quota(
            customer: "acme", feature: "tokens", meter: "tokens_total", aggregation: .sum,
            scale: 2, limit: limit, enforcement: enforcement, counting: .events,
            durability: .logged, onOutage: .closed, thresholds: thresholds,
            rule: PeriodRule(unit: .month, anchor: .calendar), source: "plan pro v3")
    }

    private func quota(
        _ limit: Limit, _ enforcement: EnforcementMode, grace: Grace? = nil,
        overageMax: Int64? = nil
    ) -> Quota {
        var quota = Self.quota(limit, enforcement)
        quota.grace = grace
        quota.overageMax = overageMax
        return quota
    }

    private func decide(
        _ quota: Quota, used: Int64, held: Int64 = 0, _ quantity: Int64
    ) -> Decision {
        QuotaRules.decide(
            quota: quota, reading: used, held: held, quantity: quantity, period: Self.period)
    }

    private func labels(_ quota: Quota, _ before: Int64, _ after: Int64) -> [String] {
        QuotaRules.crossings(
            quota: quota, period: Self.period, before: before, after: after, at: Self.instant
        ).map(\.threshold.label)
    }

    // MARK: decisions

    @Test func hardAllowsUpToTheLimitAndSaysWhatStopsIt() {
        let quota = Self.quota(.finite(100))
        let within = decide(quota, used: 90, held: 4, 6)
        #expect(within.isAllowed)
        #expect(within.reason == .ok)
        #expect(within.remaining == 6)
        #expect(within.overage == 0)
        let held = decide(quota, used: 90, held: 4, 7)
        #expect(!held.isAllowed)
        #expect(held.reason == .held)
        let exhausted = decide(quota, used: 90, held: 4, 11)
        #expect(!exhausted.isAllowed)
        #expect(exhausted.reason == .exhausted)
        let over = decide(quota, used: 130, 0)
        #expect(!over.isAllowed)
        #expect(over.reason == .exhausted)
        #expect(over.remaining == 0)
        #expect(over.overage == 30)
    }

    @Test func softAlwaysAllowsAndMarksOverage() {
        let quota = Self.quota(.finite(100), .soft, [.share(basisPoints: 8_000)])
        #expect(decide(quota, used: 70, 9).reason == .ok)
        #expect(decide(quota, used: 70, 10).reason == .warning)
        #expect(decide(quota, used: 70, 30).reason == .warning)
        let over = decide(quota, used: 70, 31)
        #expect(over.isAllowed)
        #expect(over.reason == .overage)
        #expect(over.remaining == 30)
        #expect(over.overage == 0)
        let held = decide(quota, used: 60, held: 1_000, 1)
        #expect(held.isAllowed)
        #expect(held.reason == .ok)
        #expect(held.remaining == 0)
    }

    @Test func thresholdLabelsSayWhereUsageStands() {
        let quota = Self.quota(
            .finite(200), .soft,
            [.share(basisPoints: 12_000), .absolute(50), .share(basisPoints: 9_950)])
        #expect(decide(quota, used: 49, 1).thresholdsCrossed == [])
        #expect(decide(quota, used: 49, 1).reason == .warning)
        #expect(decide(quota, used: 199, 0).thresholdsCrossed == ["50", "99.5%"])
        #expect(decide(quota, used: 240, 0).thresholdsCrossed == ["50", "99.5%", "120%"])
    }

    @Test func unlimitedIsAllowedAndCanWarn() {
        let quota = Self.quota(
            .unlimited, .hard, [.share(basisPoints: 5_000), .absolute(1_000)])
        let decision = decide(quota, used: 10, held: 10, 10)
        #expect(decision.isAllowed)
        #expect(decision.reason == .ok)
        #expect(decision.remaining == .max)
        #expect(decision.overage == 0)
        #expect(decision.limit == .unlimited)
        #expect(decide(quota, used: 999, 1).reason == .warning)
        #expect(decide(quota, used: .max, held: .max, .max).isAllowed)
        #expect(decide(quota, used: 1_000, 0).thresholdsCrossed == ["1000"])
    }

    @Test func zeroLimitsAllowNothingButNothing() {
        let quota = Self.quota(.finite(0), .hard, [.share(basisPoints: 8_000)])
        let asking = decide(quota, used: 0, 0)
        #expect(asking.isAllowed)
        #expect(asking.reason == .ok)
        #expect(asking.thresholdsCrossed == [])
        #expect(decide(quota, used: 0, 1).reason == .exhausted)
        #expect(decide(Self.quota(.finite(-5)), used: 0, 0).isAllowed)
    }

    @Test func whatTheCallerKnowsIsPassedOn() {
        let quota = Self.quota(.finite(10))
        let decision = QuotaRules.decide(
            quota: quota, reading: 1, held: 2, quantity: 3, period: Self.period, mode: .stale,
            usageCompleteTo: Self.instant, timeZone: "Europe/Berlin", overrunBound: 4,
            upgradeHint: "enterprise")
        #expect(
            decision
                == Decision(
                    isAllowed: true, reason: .ok, customer: "acme", feature: "tokens",
                    quantity: 3, scale: 2, limit: .finite(10), used: 1, held: 2, remaining: 7,
                    overage: 0, period: Self.period, thresholdsCrossed: [],
                    limitSource: "plan pro v3", value: nil, mode: .stale,
                    usageCompleteTo: Self.instant, timeZone: "Europe/Berlin", overrunBound: 4,
                    upgradeHint: "enterprise"))
    }

    /// Any bits are taken without a trap, and answered as exact arithmetic would.
    @Test(arguments: [11, 12, 13] as [UInt64])
    func decisionsFollowExactArithmetic(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var wrong = 0
        for _ in 0..<4_000 {
            let limit = Self.oddUnits(&random)
            let used = Self.oddUnits(&random)
            let held = Self.oddUnits(&random)
            let quantity = Self.oddUnits(&random)
            let isHard = Bool.random(using: &random)
            let quota = Self.quota(
                .finite(limit), isHard ? .hard : .soft,
                [.share(basisPoints: Self.oddUnits(&random)), .absolute(Self.oddUnits(&random))])
            let decision = decide(quota, used: used, held: held, quantity)
            let cap = Int128(max(limit, 0))
            let wanted = Int128(used) + Int128(quantity)
            let locked = Int128(max(held, 0))
            let isAllowed = !isHard || wanted + locked <= cap
            let left = max(cap - Int128(used) - locked, 0)
            var isRight = decision.isAllowed == isAllowed
            isRight = isRight && Int128(decision.remaining) == min(left, Int128(Int64.max))
            let over = max(Int128(used) - cap, 0)
            isRight = isRight && Int128(decision.overage) == min(over, Int128(Int64.max))
            let reasons: [DecisionReason] =
                if !isAllowed {
                    wanted <= cap ? [.held] : [.exhausted]
                } else {
                    wanted > cap ? [.overage] : [.ok, .warning]
                }
            isRight = isRight && reasons.contains(decision.reason)
            if !isRight { wrong += 1 }
        }
        #expect(wrong == 0)
    }

    // MARK: stops

    @Test(
        arguments: [
            (.hard, nil, nil, 100), (.hard, Grace(units: 7), nil, 107),
            (.hard, Grace(units: 7, days: 1), nil, 107), (.hard, Grace(days: 1), nil, nil),
            (.hard, Grace(), nil, 100), (.hard, Grace(units: -5), nil, 100),
            (.hard, Grace(units: .max), nil, .max), (.hard, nil, 50, 100), (.soft, nil, nil, nil),
            (.soft, nil, 0, 100), (.soft, nil, 9, 109), (.soft, Grace(units: 7), nil, nil),
        ] as [(EnforcementMode, Grace?, Int64?, Int64?)])
    func admissionStops(
        _ enforcement: EnforcementMode, _ grace: Grace?, _ overageMax: Int64?, _ expected: Int64?
    ) {
        let limited = quota(.finite(100), enforcement, grace: grace, overageMax: overageMax)
        let stop = QuotaRules.stop(of: limited, limitReachedAt: nil, at: Self.instant)
        #expect(stop == expected)
        let endless = quota(.unlimited, enforcement, grace: grace, overageMax: overageMax)
        #expect(QuotaRules.stop(of: endless, limitReachedAt: nil, at: Self.instant) == nil)
    }

    @Test func daysOfGraceEndInTheSecondTheyBeganIn() {
        let reached = Timestamp(microseconds: 10_500_000)
        for (units, open) in [(Int64?.some(7), Int64?.some(107)), (nil, nil)] {
            let quota = quota(.finite(100), .hard, grace: Grace(units: units, days: 2))
            let end = QuotaRules.graceEnd(of: quota, limitReachedAt: reached)
            #expect(end == Timestamp(seconds: 10 + 2 * 86_400))
            let last = Timestamp(seconds: 9 + 2 * 86_400)
            #expect(QuotaRules.stop(of: quota, limitReachedAt: reached, at: last) == open)
            #expect(QuotaRules.stop(of: quota, limitReachedAt: reached, at: end) == 100)
        }
        let endless = quota(.finite(100), .hard, grace: Grace(units: 7, days: .max))
        #expect(QuotaRules.stop(of: endless, limitReachedAt: .distantFuture, at: reached) == 107)
    }

    @Test func betweenLimitAndStopIsOverage() {
        let graced = quota(.finite(100), .hard, grace: Grace(units: 10))
        let bounded = quota(.finite(100), .soft, overageMax: 10)
        for quota in [graced, bounded] {
            #expect(decide(quota, used: 90, 10).reason == .ok)
            let over = decide(quota, used: 100, held: 2, 8)
            #expect(over.isAllowed && over.reason == .overage && over.remaining == 0)
            #expect(decide(quota, used: 100, held: 2, 9).reason == .held)
            let stopped = decide(quota, used: 100, 11)
            #expect(!stopped.isAllowed && stopped.reason == .exhausted)
            #expect(decide(quota, used: 110, 0).isAllowed)
            #expect(decide(quota, used: 111, 0).reason == .exhausted)
        }
        let closed = QuotaRules.decide(
            quota: quota(.finite(100), .hard, grace: Grace(units: 10, days: 1)), reading: 100,
            held: 0, quantity: 1, period: Self.period, limitReachedAt: Timestamp(seconds: 0),
            decidedAt: Timestamp(seconds: 86_400))
        #expect(!closed.isAllowed && closed.reason == .exhausted)
        #expect(closed.decidedAt == Timestamp(seconds: 86_400))
    }

    @Test(
        arguments: [
            (.finite(5), 3, 2, true, 2, 0), (.finite(5), 3, 3, false, 2, 0),
            (.finite(5), 7, 0, false, 0, 2), (.finite(0), 0, 1, false, 0, 0),
            (.finite(-4), 0, 0, true, 0, 0), (.unlimited, .max, .max, true, .max, 0),
            (.finite(.max), .max, .max, false, 0, 0),
        ] as [(Limit, Int64, Int64, Bool, Int64, Int64)])
    func seatsFitOrDoNot(
        _ seats: Limit, _ taken: Int64, _ quantity: Int64, _ isAllowed: Bool, _ remaining: Int64,
        _ overage: Int64
    ) {
        let decision = QuotaRules.decideSeats(
            customer: "acme", feature: "seats", seats: seats, taken: taken, quantity: quantity,
            source: "plan pro v3")
        #expect(decision.isAllowed == isAllowed)
        #expect(decision.reason == (isAllowed ? .ok : .exhausted))
        #expect(decision.limit == seats && decision.used == taken && decision.period == nil)
        #expect(decision.remaining == remaining && decision.overage == overage)
    }

    // MARK: crossings

    @Test func crossingsAreThoseOnTheWayLowestFirst() {
        let quota = Self.quota(
            .finite(1_000), .soft,
            [.share(basisPoints: 12_000), .share(basisPoints: 8_000), .absolute(500)])
        #expect(labels(quota, 0, 499) == [])
        #expect(labels(quota, 0, 500) == ["500"])
        #expect(labels(quota, 500, 799) == [])
        #expect(labels(quota, 799, 800) == ["80%"])
        #expect(labels(quota, 0, 2_000) == ["500", "80%", "100%", "120%"])
        #expect(labels(quota, 2_000, 0) == [])
        #expect(labels(quota, 800, 800) == [])
    }

    @Test func aUsedUpLimitIsVisibleOnce() {
        #expect(labels(Self.quota(.finite(10)), 9, 10) == ["100%"])
        let listed = Self.quota(.finite(10), .hard, [.share(basisPoints: 10_000)])
        #expect(labels(listed, 0, 50) == ["100%"])
        let twice = Self.quota(.finite(10), .hard, [.absolute(5), .absolute(5)])
        #expect(labels(twice, 0, 50) == ["5", "100%"])
        #expect(labels(Self.quota(.unlimited), 0, .max) == [])
        #expect(labels(Self.quota(.unlimited, .soft, [.absolute(7)]), 6, 7) == ["7"])
    }

    @Test func levelsBelowOneAreCrossedByTheFirstUnit() {
        let quota = Self.quota(.finite(0), .hard, [.share(basisPoints: 8_000), .absolute(-3)])
        #expect(labels(quota, -10, 0) == [])
        #expect(labels(quota, 0, 1) == ["80%", "-3", "100%"])
        #expect(labels(quota, 1, 2) == [])
        #expect(labels(Self.quota(.finite(-8)), 0, 1) == ["100%"])
    }

    @Test func crossingsCarryTheirStory() {
        let quota = Self.quota(.finite(10))
        let crossings = QuotaRules.crossings(
            quota: quota, period: Self.period, before: 3, after: 12, at: Self.instant)
        #expect(
            crossings == [
                Crossing(
                    customer: "acme", feature: "tokens", meter: "tokens_total",
                    period: Self.period, threshold: .share(basisPoints: 10_000),
                    limit: .finite(10), usedBefore: 3, usedAfter: 12, scale: 2,
                    source: "plan pro v3", crossedAt: Self.instant, resolvedAt: nil)
            ])
    }

    /// However growing usage is cut into steps, each threshold is crossed once.
    @Test(arguments: [21, 22, 23] as [UInt64])
    func stepsCrossWhatOneLeapCrosses(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        for _ in 0..<300 {
            let thresholds = (0..<4).map { _ in
                Bool.random(using: &random)
                    ? Threshold.absolute(Self.oddUnits(&random))
                    : Threshold.share(basisPoints: Self.oddUnits(&random))
            }
            let quota = Self.quota(.finite(Self.oddUnits(&random)), .soft, thresholds)
            let stops = (0..<6).map { _ in Self.oddUnits(&random) }.sorted()
            var stepwise: [String] = []
            for (before, after) in zip(stops, stops.dropFirst()) {
                stepwise += labels(quota, before, after)
            }
            #expect(stepwise == labels(quota, stops[0], stops[5]))
        }
    }

    /// Mostly small numbers, which meet each other, and sometimes the ends of the range.
    private static func oddUnits(_ random: inout SeededRandom) -> Int64 {
        switch Int.random(in: 0..<8, using: &random) {
        case 0: [Int64.min, .min + 1, .max - 1, .max].randomElement(using: &random) ?? 0
        case 1: Int64.random(in: .min ... .max, using: &random)
        case 2: Int64.random(in: -5...5, using: &random)
        default: Int64.random(in: 0...200, using: &random)
        }
    }
}
