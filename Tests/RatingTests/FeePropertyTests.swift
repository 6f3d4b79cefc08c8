import MeteringModel
import Rating
import Testing

/// Rules that hold for any contract; each seed makes other ones.
@Suite struct FeePropertyTests {
    private static let start = Timestamp(seconds: 1_767_225_600)  // 2026-01-01
    private static let spanSeconds: Int64 = 500 * 86_400

    /// A subscription that changes at random instants, and ends.
    private static func account(_ seed: UInt64, _ timing: RecurringPrice.Timing?) throws
        -> FeeAccount
    {
        var random = SeededGenerator(state: seed)
        func number(_ range: ClosedRange<Int64>) -> Int64 {
            Int64.random(in: range, using: &random)
        }
        func instant() -> Timestamp { start.adding(seconds: number(0...spanSeconds)) }
        var plans: [PlanDefinition] = []
        for version in 1...4 {
            let prorates = number(0...3) > 0
            let drawn = RecurringPrice.Timing.allCases[Int(number(0...1))]
            plans.append(
                try FeeFixture.plan(
                    "pro", version: version, fee: "\(number(0...90)).\(number(10...99))",
                    seat: "\(number(1...9)).5"
                ) {
                    $0.prorates = prorates || timing != nil
                    $0.timing = timing ?? drawn
                })
        }
        var fixture = try FeeFixture {
            $0.start = instant()
            $0.end = start.adding(seconds: spanSeconds + 1)
            $0.anchor = instant()
        }
        for at in (0..<number(0...6)).map({ _ in instant() }).sorted() {
            try fixture.from(at) {
                $0.planVersion = Int(number(1...4))
                $0.seats["editor"] = .finite(number(0...9))
                if number(0...4) == 0 { $0.billingFrequency = .quarterly }
                if number(0...9) == 0 { $0.billingFrequency = .annual }
                if timing == nil, number(0...9) == 0 { $0.billingFrequency = .once }
            }
        }
        let revoked = instant()
        fixture.contract.revocations = [
            .init(
                id: "rev_1",
                terms: Dated(
                    RevocationTerms(
                        product: .default, start: revoked,
                        end: revoked.adding(seconds: number(0...3_000_000)), reason: "test")))
        ]
        fixture.plans = plans
        fixture.zone = try zone(number(0...1) == 0 ? "Europe/Berlin" : "America/New_York")
        return fixture.account
    }

    /// From before the first line to after the last.
    private static let all = Period(
        start: start.adding(seconds: -400 * 86_400),
        end: start.adding(seconds: spanSeconds + 800 * 86_400))

    @Test(arguments: 0..<60 as Range<UInt64>)
    func windowsGiveEachLineOnce(seed: UInt64) throws {
        let account = try Self.account(seed, nil)
        let whole = try FeeRating.lines(account, dueIn: Self.all)
        var random = SeededGenerator(state: seed &+ 1)
        var pieces: [RatedLine] = []
        var from = Self.all.start
        while from < Self.all.end {
            let next = from.adding(seconds: Int64.random(in: 1...5_000_000, using: &random))
            let to = min(next, Self.all.end)
            pieces += try FeeRating.lines(account, dueIn: Period(start: from, end: to))
            from = to
        }
        #expect(pieces.count == whole.count, "seed \(seed)")
        #expect(Set(pieces) == Set(whole), "seed \(seed)")
        #expect(Set(whole.map(\.key)).count == whole.count, "seed \(seed)")
    }

    /// Before they are rounded, charges and credits in advance come to what arrears would.
    @Test(arguments: 100..<160 as Range<UInt64>)
    func advanceAndArrearsAreTheSameMoney(seed: UInt64) throws {
        func total(_ timing: RecurringPrice.Timing) throws -> ExactAmount? {
            try FeeRating.lines(Self.account(seed, timing), dueIn: Self.all).flatMap(\.parts)
                .reduce(ExactAmount.zero as ExactAmount?) { $0?.adding($1.amount) }
        }
        let advance = try total(.advance)
        #expect(advance != nil)
        #expect(try advance == total(.arrears), "seed \(seed)")
    }

    @Test(arguments: 200..<230 as Range<UInt64>)
    func aLineIsRoundedOnceFromItsParts(seed: UInt64) throws {
        for line in try FeeRating.lines(Self.account(seed, nil), dueIn: Self.all) {
            let exact = line.parts.reduce(ExactAmount.zero as ExactAmount?) {
                $0?.adding($1.amount)
            }
            #expect(exact?.text == line.exactText, "seed \(seed)")
            #expect(exact?.rounded(places: 2, .halfUp) == line.amount, "seed \(seed)")
        }
    }
}
