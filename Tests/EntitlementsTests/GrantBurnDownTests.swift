import Entitlements
import MeteringModel
import Testing

@Suite struct GrantBurnDownTests {
    private static func period(_ number: Int64) -> Period {
        Period(start: day(number * 30), end: day(number * 30 + 30))
    }

    private static func grant(
        _ id: String, _ amount: Int64, priority: Int = 0, from start: Int64 = 0,
        to end: Int64? = nil, min: Int64 = 0, max: Int64? = nil
    ) -> Quota.Grant {
        Quota.Grant(
            id: id,
            terms: GrantTerms(
                feature: "tokens", amount: amount, priority: priority, start: day(start),
                expires: end.map { day($0) }, rolloverMin: min, rolloverMax: max, reason: "test"))
    }

    /// Days `from`..<`to` of period `number`.
    private static func interval(
        _ number: Int64, _ from: Int64 = 0, _ to: Int64 = 30, used: Int64,
        allowance: Limit = .finite(100),
        _ grants: [Quota.Grant]
    ) -> GrantBurnDown.Interval {
        GrantBurnDown.Interval(
            start: day(number * 30 + from), end: day(number * 30 + to), period: period(number),
            allowance: allowance, grants: grants, used: used)
    }

    private static func left(_ balances: [GrantBurnDown.Balance]) -> [String: Int64] {
        Dictionary(uniqueKeysWithValues: balances.map { ($0.grant.id, $0.left) })
    }

    @Test func theAllowanceGoesFirst() {
        let extra = Self.grant("a", 50)
        let points = GrantBurnDown.fold([
            Self.interval(0, used: 80, [extra]), Self.interval(1, used: 130, [extra]),
            Self.interval(2, used: 110, [extra]), Self.interval(3, used: 0, [extra]),
        ])
        #expect(points.map { Self.left($0.closing)["a"] } == [50, 20, 10, 10])
        #expect(points.map(\.limit) == [150, 150, 120, 110].map { .finite($0) })
        #expect(points.allSatisfy { $0.overage == 0 })
    }

    @Test func grantsAreUsedInTheirOrder() {
        let grants = [
            Self.grant("open", 10), Self.grant("b_soon", 10, from: 1, to: 200),
            Self.grant("a_soon", 10, from: 1, to: 200), Self.grant("early", 10, from: 0, to: 200),
            Self.grant("sooner", 10, to: 100), Self.grant("first", 10, priority: -1),
        ]
        let order = ["first", "sooner", "early", "a_soon", "b_soon", "open"]
        for used in stride(from: Int64(0), through: 70, by: 5) {
            let point = GrantBurnDown.fold([
                Self.interval(0, used: 100 + used, grants.shuffled())
            ])[0]
            var rest = used
            for (balance, id) in zip(point.closing, order) {
                let taken = min(10, rest)
                rest -= taken
                #expect(balance.grant.id == id && balance.left == 10 - taken)
            }
            #expect(point.overage == rest)
            #expect(point.limit == .finite(160))
        }
    }

    @Test func theLimitIsOneThroughoutAnInterval() {
        let extra = Self.grant("a", 50)
        for used: Int64 in [0, 99, 100, 120, 150, 400] {
            let point = GrantBurnDown.fold([Self.interval(0, used: used, [extra])])[0]
            let remaining = 150 - used
            #expect(point.limit == .finite(150))
            let allowanceLeft = max(0, 100 - used)
            let balance = point.closing[0].left
            #expect(allowanceLeft + balance - point.overage == remaining)
        }
    }

    @Test func anExpiredGrantKeepsWhatItCovered() {
        let short = Self.grant("short", 50, to: 10)
        let points = GrantBurnDown.fold([
            Self.interval(0, 0, 10, used: 120, [short]), Self.interval(0, 10, 30, used: 5, []),
        ])
        #expect(points[0].limit == .finite(150))
        // 100 and the 20 that were drawn; the other 30 went with the grant.
        #expect(points[1].limit == .finite(120))
        #expect(points[1].overage == 5)
    }

    @Test func aGrantCoversWhatThePeriodUsedTooMuch() {
        let late = Self.grant("late", 50, from: 10)
        let points = GrantBurnDown.fold([
            Self.interval(0, 0, 10, used: 130, []), Self.interval(0, 10, 30, used: 0, [late]),
            Self.interval(1, used: 0, [late]),
        ])
        #expect(points[0].overage == 30 && points[0].limit == .finite(100))
        #expect(Self.left(points[1].opening) == ["late": 20])
        #expect(points[1].limit == .finite(150) && points[1].overage == 0)
        // The next period owes nothing.
        #expect(Self.left(points[2].opening) == ["late": 20])
    }

    @Test func whatIsLeftRollsOverAsItSays() {
        func next(_ left: Int64, min: Int64, max: Int64?) -> Int64? {
            let extra = Self.grant("a", 50, min: min, max: max)
            let points = GrantBurnDown.fold([
                Self.interval(0, used: 150 - left, [extra]), Self.interval(1, used: 0, [extra]),
            ])
            return Self.left(points[1].opening)["a"]
        }
        #expect(next(20, min: 0, max: nil) == 20)
        #expect(next(20, min: 0, max: 0) == 0)
        #expect(next(20, min: 0, max: 15) == 15)
        #expect(next(20, min: 30, max: 40) == 30)
        #expect(next(0, min: 10, max: 10) == 10)
        #expect(next(50, min: 10, max: 10) == 10)
    }

    @Test func unlimitedDrawsNothing() {
        let extra = Self.grant("a", 50)
        let points = GrantBurnDown.fold([
            Self.interval(0, used: 1_000, allowance: .unlimited, [extra]),
            Self.interval(1, used: 120, [extra]),
        ])
        #expect(points[0].limit == .unlimited && Self.left(points[0].closing) == ["a": 50])
        #expect(Self.left(points[1].closing) == ["a": 30])
    }

    @Test func hugeAmountsStopAtTheEnd() {
        let extra = [Self.grant("a", .max), Self.grant("b", .max)]
        let points = GrantBurnDown.fold([
            Self.interval(0, used: .max, allowance: .finite(.max), extra),
            Self.interval(0, used: .max, allowance: .finite(0), extra),
        ])
        #expect(points[1].limit == .finite(.max))
        #expect(Self.left(points[1].closing) == ["a": 0, "b": .max])
    }

    @Test func pointsAreFoundByInstant() {
        let extra = Self.grant("a", 50)
        let intervals = [Self.interval(0, used: 120, [extra]), Self.interval(2, used: 0, [extra])]
        #expect(GrantBurnDown.limit(intervals, at: day(29)) == .finite(150))
        #expect(GrantBurnDown.limit(intervals, at: day(30)) == nil)
        #expect(GrantBurnDown.limit(intervals, at: day(60)) == .finite(130))
        #expect(GrantBurnDown.limit(intervals, at: day(-1)) == nil)
        #expect(GrantBurnDown.balances(intervals, at: day(60)).map(\.left) == [30])
        #expect(GrantBurnDown.balances(intervals, at: day(99)).isEmpty)
    }

    /// What is drawn follows from how much each period used, however it is cut, and nothing is
    /// lost: amounts are what is left, what covers usage beyond the allowance, and nothing else.
    @Test(arguments: 0..<60 as Range<UInt64>)
    func amountsAreConserved(seed: UInt64) {
        var maker = RandomContracts(seed: seed)
        let grants = (0..<maker.number(0...4)).map { index in
            Self.grant(
                "g\(index)", Int64(maker.number(0...120)), priority: maker.number(0...2),
                to: maker.chance(30) ? 1_000 : nil)
        }
        var whole: [GrantBurnDown.Interval] = []
        var cut: [GrantBurnDown.Interval] = []
        var beyond: Int64 = 0
        var covered: Int64 = 0
        for number in 0..<Int64(maker.number(1...6)) {
            var total: Int64 = 0
            for piece in Int64(0)..<3 {
                // Usage may be taken back.
                let used = Int64(maker.number(-40...90))
                total += used
                cut.append(Self.interval(number, piece * 10, piece * 10 + 10, used: used, grants))
            }
            whole.append(Self.interval(number, used: total, grants))
            beyond += max(0, total - 100)
        }
        let points = GrantBurnDown.fold(whole)
        let fine = GrantBurnDown.fold(cut)
        #expect(points.last?.closing == fine.last?.closing)
        let amount = grants.reduce(0) { $0 + $1.terms.amount }
        let left = points.last?.closing.reduce(0) { $0 + $1.left } ?? 0
        covered = beyond - points.reduce(0) { $0 + $1.overage }
        #expect(left == amount - covered)
        #expect(left == max(0, amount - beyond))
        for point in fine {
            guard let limit = point.limit.finite else { continue }
            let balance = point.closing.reduce(0) { $0 + $1.left }
            let allowanceLeft = max(0, 100 - point.usedOfPeriod)
            #expect(limit - point.usedOfPeriod == allowanceLeft + balance - point.overage)
        }
    }

    @Test func aCustomersIntervalsCoverItsGrants() throws {
        let own = contract(
            [subscription("free", from: day(0), to: day(100))],
            overrides: [
                EntitlementsTests.override(
                    "ov_1", "tokens", .metered(.init(limit: .finite(7))), from: day(50))
            ],
            grants: [EntitlementsTests.grant("gr_1", 10, from: day(40), to: day(70))])
        let snapshot = try CatalogSnapshot.compile(
            shopCatalog(), contracts: [own], revision: 1, hash: testHash, zone: { _ in .utc }
        ).get()
        let tokens = try #require(snapshot.definitions.featureNumber("tokens"))
        let customer = snapshot.customer(0)
        #expect(customer.grantIntervals(feature: tokens, through: day(39)).isEmpty)
        let intervals = customer.grantIntervals(feature: tokens, through: day(90))
        let rule = PeriodRule(unit: .month, anchor: .calendar)
        #expect(intervals.first?.start == rule.period(containing: day(40), zone: .utc).start)
        for (one, next) in zip(intervals, intervals.dropFirst()) { #expect(one.end == next.start) }
        for interval in intervals {
            #expect(interval.period == rule.period(containing: interval.start, zone: .utc))
            #expect(interval.end <= interval.period.end)
            let isGranted = interval.start >= day(40) && interval.end <= day(70)
            #expect(interval.grants.map(\.id) == (isGranted ? ["gr_1"] : []))
            #expect(interval.allowance == .finite(interval.start >= day(50) ? 7 : 100))
        }
        #expect(try #require(intervals.last).end > day(90))
    }
}
