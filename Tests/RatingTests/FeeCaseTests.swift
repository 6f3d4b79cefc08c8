import MeteringModel
import Rating
import Testing

/// Fees in advance, computed by hand. November 2026 has 30 days.
@Suite struct FeeCaseTests {
    private static func amounts(_ lines: [RatedLine]) -> [Int64] { lines.map(\.amount) }

    @Test func aWholeCycleIsOneLineOfAllOfIt() throws {
        let line = try #require(try FeeFixture().november().first)
        #expect(try FeeFixture().november().count == 1)
        #expect(line.kind == .fee)
        #expect(line.amount == 4_900)
        #expect(line.period == (try november()))
        #expect(line.dueAt == (try day("2026-11-01")))
        #expect(line.proration == nil)
        #expect(line.item == "pro")
        #expect(line.subscription == "sub_1")
        #expect(line.source == "plan pro v1")
    }

    @Test func aBeginInMidCycleIsForTheRest() throws {
        let fixture = try FeeFixture {
            $0.anchor = $0.start
            $0.start = try day("2026-11-16")
        }
        let lines = try fixture.november()
        #expect(Self.amounts(lines) == [2_450])
        #expect(
            lines[0].proration
                == RatedLine.Proration(numerator: 1_296_000, denominator: 2_592_000))
    }

    @Test func anEndInMidCycleIsCredited() throws {
        let fixture = try FeeFixture { $0.end = try day("2026-11-21") }
        let lines = try fixture.november()
        // 49 × 10/30 = 16.333…
        #expect(Self.amounts(lines) == [4_900, -1_633])
        #expect(lines[1].quantity == -1)
        #expect(lines[1].exactText == "-49/3")
    }

    @Test func aPlanChangeIsACreditAndACharge() throws {
        var fixture = try FeeFixture()
        fixture.plans.append(try FeeFixture.plan("scale", fee: "99"))
        try fixture.from(day("2026-11-16")) { $0.plan = "scale" }
        #expect(Self.amounts(try fixture.november()).sorted() == [-2_450, 4_900, 4_950])
        let december = try fixture.lines(from: day("2026-12-01"), to: day("2027-01-01"))
        #expect(Self.amounts(december) == [9_900])
    }

    @Test func aVersionOfTheSamePriceChangesNothing() throws {
        var fixture = try FeeFixture()
        fixture.plans.append(try FeeFixture.plan("pro", version: 2, fee: "49.00", seat: "10"))
        try fixture.from(day("2026-11-16")) { $0.planVersion = 2 }
        #expect(Self.amounts(try fixture.november()) == [4_900])
    }

    @Test func aVersionOfAnotherPriceIsCreditedAndCharged() throws {
        var fixture = try FeeFixture()
        fixture.plans.append(try FeeFixture.plan("pro", version: 2, fee: "61"))
        try fixture.from(day("2026-11-11")) { $0.planVersion = 2 }
        // 49 × 20/30 = 32.666…, 61 × 20/30 = 40.666…
        #expect(Self.amounts(try fixture.november()).sorted() == [-3_267, 4_067, 4_900])
    }

    @Test func seatsBoughtInMidCycle() throws {
        var fixture = try FeeFixture { $0.seats["editor"] = .finite(25) }
        try fixture.from(day("2026-11-11")) { $0.seats["editor"] = .finite(60) }
        let seats = try fixture.november().filter { $0.kind == .seats }
        // 35 × 10 × 20/30 = 233.333…
        #expect(Self.amounts(seats) == [25_000, 23_333])
        #expect(seats.map(\.quantity) == [25, 35])
        #expect(seats[1].feature == "editor")
    }

    @Test func seatsGivenBackInMidCycle() throws {
        var fixture = try FeeFixture { $0.seats["editor"] = .finite(60) }
        try fixture.from(day("2026-11-16")) { $0.seats["editor"] = .finite(25) }
        let seats = try fixture.november().filter { $0.kind == .seats }
        #expect(Self.amounts(seats) == [60_000, -17_500])
    }

    @Test func includedSeatsCostNothing() throws {
        var fixture = try FeeFixture { $0.seats["editor"] = .finite(5) }
        fixture.plans = [try FeeFixture.plan("pro", fee: nil, seat: "10") { $0.included = 3 }]
        let lines = try fixture.november()
        #expect(Self.amounts(lines) == [2_000])
        #expect(lines[0].includedQuantity == 3)
        try fixture.from(day("2026-11-16")) { $0.seats["editor"] = .finite(2) }
        #expect(Self.amounts(try fixture.november()) == [2_000, -1_000])
    }

    @Test func thePlansSeatsWhereNoneWereBought() throws {
        let fixture = try FeeFixture { $0.seats = [:] }
        #expect(Self.amounts(try fixture.november()).sorted() == [1_000, 4_900])
    }

    @Test func unlimitedSeatsHaveNoPrice() throws {
        let fixture = try FeeFixture { $0.seats["editor"] = .unlimited }
        #expect(Self.amounts(try fixture.november()) == [4_900])
    }

    @Test func anAddOnForAPartOfTheCycle() throws {
        let fixture = try FeeFixture {
            $0.addOns = [
                .init(
                    key: "backup", quantity: 2, start: try day("2026-11-11"),
                    end: try day("2026-11-26"))
            ]
        }
        let lines = try fixture.november().filter { $0.kind == .addOn }
        // 40 × 20/30 = 26.666…, back 40 × 5/30 = 6.666…
        #expect(Self.amounts(lines) == [2_667, -667])
        #expect(lines[0].source == "add-on backup")
    }

    @Test func anAddOnsPriceIsThatOfItsRecordThen() throws {
        var fixture = try FeeFixture { $0.addOns = [.init(key: "backup")] }
        fixture.addOnFees["backup"] = Dated(steps: [
            .init(from: .distantPast, value: try FeeFixture.addOn("20")),
            .init(from: try day("2026-11-16"), value: try FeeFixture.addOn("30")),
        ])
        let lines = try fixture.november().filter { $0.kind == .addOn }
        #expect(Self.amounts(lines).sorted() == [-1_000, 1_500, 2_000])
    }

    @Test func trialsCostNothing() throws {
        let converting = try FeeFixture {
            $0.trialEnd = try day("2026-11-11")
            $0.trialConverts = true
        }
        #expect(Self.amounts(try converting.november()) == [3_267])
        let ending = try FeeFixture { $0.trialEnd = try day("2026-11-11") }
        #expect(try ending.november().isEmpty)
    }

    @Test func aSuspensionChangesNothing() throws {
        var fixture = try FeeFixture()
        fixture.contract.suspensions = [
            .init(
                id: "sus_1",
                terms: Dated(
                    SuspensionTerms(
                        start: try day("2026-11-05"), end: try day("2026-11-25"),
                        reason: "unpaid")))
        ]
        #expect(Self.amounts(try fixture.november()) == [4_900])
    }

    @Test func aRevocationStopsTheFees() throws {
        var fixture = try FeeFixture()
        fixture.contract.revocations = [
            .init(
                id: "rev_1",
                terms: Dated(
                    RevocationTerms(
                        product: .default, start: try day("2026-11-21"),
                        end: try day("2026-11-26"), reason: "fraud")))
        ]
        // 49 × 10/30 back, 49 × 5/30 = 8.1666… again
        #expect(Self.amounts(try fixture.november()) == [4_900, -1_633, 817])
    }

    @Test func anAddOnOfARevokedProductStopsAlone() throws {
        var fixture = try FeeFixture { $0.addOns = [.init(key: "backup")] }
        fixture.addOnProducts["backup"] = "vault"
        fixture.contract.revocations = [
            .init(
                id: "rev_1",
                terms: Dated(
                    RevocationTerms(
                        product: "vault", start: try day("2026-11-16"), reason: "end of sale")))
        ]
        #expect(Self.amounts(try fixture.november()).sorted() == [-1_000, 2_000, 4_900])
    }

    @Test func onlyProductionIsBilled() throws {
        var fixture = try FeeFixture()
        fixture.contract.profile = Dated(CustomerProfile(environment: .sandbox))
        #expect(try fixture.november().isEmpty)
    }

    @Test func whatIsDeletedIsCredited() throws {
        var gone = try FeeFixture()
        gone.contract.profile.steps.append(.init(from: try day("2026-11-21"), value: nil))
        #expect(Self.amounts(try gone.november()) == [4_900, -1_633])
        var cancelled = try FeeFixture()
        cancelled.contract.subscriptions[0].terms.steps.append(
            .init(from: try day("2026-11-21"), value: nil))
        #expect(Self.amounts(try cancelled.november()) == [4_900, -1_633])
    }

    // MARK: currencies

    @Test(arguments: [("JPY", Int64(33)), ("EUR", 3_333), ("KWD", 33_333)])
    func minorUnits(code: String, expected: Int64) throws {
        var fixture = try FeeFixture {
            $0.anchor = $0.start
            $0.start = try day("2026-11-21")
        }
        fixture.plans = [try FeeFixture.plan("pro", fee: "100", currency: code)]
        #expect(Self.amounts(try fixture.november()) == [expected])
    }
}
