import MeteringModel
import Rating
import Testing

/// Cycles of all lengths, arrears, and what is not prorated; computed by hand.
@Suite struct FeeCycleTests {
    private static func amounts(_ lines: [RatedLine]) -> [Int64] { lines.map(\.amount) }

    @Test func aLeapFebruaryHas29Days() throws {
        var fixture = try FeeFixture {
            $0.start = try day("2028-02-15")
            $0.anchor = try day("2028-01-01")
        }
        fixture.plans = [try FeeFixture.plan("pro", fee: "29")]
        let leap = try fixture.lines(from: day("2028-02-01"), to: day("2028-03-01"))
        #expect(Self.amounts(leap) == [1_500])
    }

    @Test func aPlainFebruaryHas28Days() throws {
        var fixture = try FeeFixture {
            $0.start = try day("2026-02-15")
            $0.anchor = try day("2026-01-01")
        }
        fixture.plans = [try FeeFixture.plan("pro", fee: "28")]
        let plain = try fixture.lines(from: day("2026-02-01"), to: day("2026-03-01"))
        #expect(Self.amounts(plain) == [1_400])
    }

    /// March has 743 hours in Berlin, October 745.
    @Test(arguments: [
        ("2026-03-01T00:00:00+01:00", "2026-03-29T00:00:00+01:00", "743", Int64(7_100)),
        ("2026-10-01T00:00:00+02:00", "2026-10-25T00:00:00+02:00", "745", 16_900),
    ])
    func aMonthOfAClockChange(
        month: String, start: String, fee: String, expected: Int64
    ) throws {
        var fixture = try FeeFixture {
            $0.start = try instant(start)
            $0.anchor = try instant(month)
        }
        fixture.zone = try zone("Europe/Berlin")
        fixture.plans = [try FeeFixture.plan("pro", fee: fee)]
        let first = try instant(start)
        let lines = try fixture.lines(from: first, to: first.adding(seconds: 1))
        #expect(Self.amounts(lines) == [expected])
    }

    @Test func cyclesOfThe31stClamp() throws {
        let fixture = try FeeFixture { $0.start = try day("2026-01-31") }
        let lines = try fixture.lines(from: day("2026-01-01"), to: day("2026-05-01"))
        #expect(Self.amounts(lines) == [4_900, 4_900, 4_900, 4_900])
        #expect(
            lines.map { $0.dueAt.rfc3339().prefix(10) } == [
                "2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30",
            ])
    }

    @Test func quartersAndYears() throws {
        var fixture = try FeeFixture {
            $0.anchor = try day("2026-10-01")
            $0.billingFrequency = .quarterly
        }
        // 61 of the 92 days from October to December.
        fixture.plans = [try FeeFixture.plan("pro", fee: "92")]
        #expect(Self.amounts(try fixture.november()) == [6_100])
        fixture = try FeeFixture {
            $0.anchor = try day("2026-01-01")
            $0.billingFrequency = .annual
        }
        fixture.plans = [try FeeFixture.plan("pro", fee: "365")]
        #expect(Self.amounts(try fixture.november()) == [6_100])
    }

    /// 25 → 60 seats, an add-on, and monthly → annual, all on 16 November.
    @Test func anUpgradeInMidTerm() throws {
        var fixture = try FeeFixture {
            $0.start = try day("2026-01-01")
            $0.seats["editor"] = .finite(25)
        }
        fixture.plans.append(try FeeFixture.plan("pro_year", fee: "490", seat: "100"))
        try fixture.from(day("2026-11-16")) {
            $0.plan = "pro_year"
            $0.billingFrequency = .annual
            $0.seats["editor"] = .finite(60)
            $0.addOns = [.init(key: "backup")]
        }
        let lines = try fixture.november()
        // Half of November comes back; 46 of 365 days of 2026 are charged.
        let charged: [RatedLine.Kind: [Int64]] = [
            .fee: [-2_450, 4_900, 6_175],  // 490 × 46/365 = 61.753…
            .seats: [-12_500, 25_000, 75_616],  // 6,000 × 46/365 = 756.164…
            .addOn: [252],  // 20 × 46/365 = 2.520…
        ]
        for (kind, amounts) in charged {
            #expect(Self.amounts(lines.filter { $0.kind == kind }).sorted() == amounts)
        }
        let january = try fixture.lines(from: day("2027-01-01"), to: day("2027-02-01"))
        #expect(Self.amounts(january).sorted() == [2_000, 49_000, 600_000])
    }

    // MARK: in arrears

    @Test func arrearsAreALineForEachPiece() throws {
        var fixture = try FeeFixture()
        fixture.plans = [
            try FeeFixture.plan("pro", fee: "49") { $0.timing = .arrears },
            try FeeFixture.plan("scale", fee: "99") { $0.timing = .arrears },
        ]
        try fixture.from(day("2026-11-16")) { $0.plan = "scale" }
        let lines = try fixture.november()
        #expect(Self.amounts(lines).sorted() == [2_450, 4_950])
        #expect(Set(lines.map(\.dueAt)) == [try day("2026-12-01")])
        // What ends with a window is of that window alone.
        let next = try fixture.lines(from: day("2026-12-01"), to: day("2027-01-01"))
        #expect(Self.amounts(next) == [9_900])
    }

    @Test func anEndIsBilledWhenTheCycleEnds() throws {
        var fixture = try FeeFixture { $0.end = try day("2026-11-13") }
        fixture.plans = [try FeeFixture.plan("pro", fee: "49") { $0.timing = .arrears }]
        let lines = try fixture.lines(from: day("2026-11-20"), to: day("2026-12-01"))
        #expect(Self.amounts(lines) == [1_960])
    }

    @Test func fromAdvanceToArrears() throws {
        var fixture = try FeeFixture()
        fixture.plans.append(
            try FeeFixture.plan("pro", version: 2, fee: "60") { $0.timing = .arrears })
        try fixture.from(day("2026-11-16")) { $0.planVersion = 2 }
        #expect(Self.amounts(try fixture.november()) == [4_900, -2_450, 3_000])
    }

    // MARK: not prorated

    @Test func aBegunCycleCostsAllOfIt() throws {
        var fixture = try FeeFixture {
            $0.anchor = $0.start
            $0.start = try day("2026-11-11")
            $0.end = try day("2026-11-12")
        }
        fixture.plans = [try FeeFixture.plan("pro", fee: "49") { $0.prorates = false }]
        #expect(Self.amounts(try fixture.november()) == [4_900])
    }

    @Test func anIncreaseCostsTheFullDifference() throws {
        var fixture = try FeeFixture { $0.seats["editor"] = .finite(25) }
        fixture.plans = [try FeeFixture.plan("pro", fee: nil, seat: "10") { $0.prorates = false }]
        try fixture.from(day("2026-11-11")) { $0.seats["editor"] = .finite(60) }
        try fixture.from(day("2026-11-16")) { $0.seats["editor"] = .finite(40) }
        try fixture.from(day("2026-11-21")) { $0.seats["editor"] = .finite(61) }
        let lines = try fixture.november()
        #expect(Self.amounts(lines) == [25_000, 35_000, 1_000])
        #expect(lines.map(\.quantity) == [25, 35, 1])
        let next = try fixture.lines(from: day("2026-12-01"), to: day("2027-01-01"))
        #expect(Self.amounts(next) == [61_000])
    }

    @Test func aDearerPlanCostsTheDifference() throws {
        var fixture = try FeeFixture()
        fixture.plans = [
            try FeeFixture.plan("pro", fee: "49") { $0.prorates = false },
            try FeeFixture.plan("scale", fee: "99") { $0.prorates = false },
        ]
        try fixture.from(day("2026-11-16")) { $0.plan = "scale" }
        try fixture.from(day("2026-11-21")) { $0.plan = "pro" }
        let lines = try fixture.november()
        #expect(Self.amounts(lines) == [4_900, 5_000])
        #expect(lines[1].parts.map(\.kind) == [.unit, .billed])
        #expect(lines[1].parts.map(\.amount.text) == ["99", "-49"])
    }

    @Test func inArrearsTheMostCounts() throws {
        var fixture = try FeeFixture()
        fixture.plans = [
            try FeeFixture.plan("pro", fee: "49") {
                $0.prorates = false
                $0.timing = .arrears
            },
            try FeeFixture.plan("scale", fee: "99") {
                $0.prorates = false
                $0.timing = .arrears
            },
        ]
        try fixture.from(day("2026-11-16")) { $0.plan = "scale" }
        try fixture.from(day("2026-11-17")) { $0.plan = "pro" }
        #expect(Self.amounts(try fixture.november()) == [9_900])
    }

    // MARK: once

    @Test func onceIsDueAtTheStart() throws {
        var fixture = try FeeFixture {
            $0.billingFrequency = .once
            $0.seats["editor"] = .finite(2)
            $0.end = try day("2027-03-10")
        }
        fixture.plans = [try FeeFixture.plan("pro", fee: "500", seat: "10")]
        try fixture.from(day("2026-11-16")) { $0.seats["editor"] = .finite(5) }
        try fixture.from(day("2026-11-21")) { $0.end = try day("2027-01-10") }
        #expect(Self.amounts(try fixture.november()).sorted() == [2_000, 3_000, 50_000])
        let later = try fixture.lines(from: day("2026-12-01"), to: day("2028-01-01"))
        #expect(later.isEmpty)
    }

    // MARK: bounds

    @Test func allOfTimeIsTooMuch() throws {
        let fixture = try FeeFixture()
        do {
            let lines = try fixture.lines(from: .distantPast, to: .distantFuture)
            Issue.record("\(lines.count) lines")
        } catch let error as RatingError {
            #expect(error.code == .tooManyCycles)
        }
    }

    @Test func feesThatAreTooLargeAreErrors() throws {
        var fixture = try FeeFixture { $0.seats["editor"] = .finite(.max) }
        fixture.plans = [try FeeFixture.plan("pro", fee: nil, seat: "1000")]
        do {
            _ = try fixture.november()
            Issue.record("an amount beyond 64 bits was billed")
        } catch let error as RatingError {
            #expect(error.code == .overflow)
        }
    }
}
