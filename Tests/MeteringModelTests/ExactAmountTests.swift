import MeteringModel
import Testing

@Suite struct ExactAmountTests {
    private static func amount(_ text: String, _ part: Int64, _ whole: Int64) -> ExactAmount? {
        ExactDecimal(text).flatMap { ExactAmount($0, times: part, over: whole) }
    }

    @Test func whatADecimalCanHoldIsADecimal() {
        #expect(Self.amount("49", 15, 30)?.text == "24.5")
        #expect(Self.amount("1", 1, 1_000_000)?.text == "0.000001")
        #expect(Self.amount("0", 7, 31) == .zero)
        #expect(Self.amount("31", 17, 31)?.decimal == ExactDecimal("17"))
        #expect(Self.amount("49", 17, 31)?.decimal == nil)
    }

    @Test func equalValuesAreEqual() {
        #expect(Self.amount("49", 10, 30) == Self.amount("98", 5, 30))
        #expect(Self.amount("0.49", 1_000, 300) == Self.amount("4.9", 1, 3))
        #expect(Self.amount("49", 10, 30)?.hashValue == Self.amount("49", 1, 3)?.hashValue)
        #expect(Self.amount("49", 17, 31)?.text == "833/31")
    }

    @Test(arguments: [
        // Halves, exact and almost.
        ("2.5", Int64(1), Int64(1), RoundingRule.halfUp, Int64(3)), ("2.5", 1, 1, .halfEven, 2),
        ("3.5", 1, 1, .halfEven, 4), ("2.5", 1, 1, .down, 2), ("2.5", 1, 1, .up, 3),
        ("-2.5", 1, 1, .halfUp, -3), ("-2.5", 1, 1, .halfEven, -2), ("-2.5", 1, 1, .down, -2),
        ("-2.1", 1, 1, .up, -3), ("2.4999999999999999999999", 1, 1, .halfUp, 2),
        ("2.5000000000000000000001", 1, 1, .halfEven, 3), ("7", 1, 3, .halfUp, 2),
        ("8", 1, 3, .halfUp, 3), ("1", 1, 3, .up, 1), ("1", 1, 3, .down, 0), ("0", 1, 3, .up, 0),
        // Thirds close to a half: 1.5 ± 1/(3 × 10^20).
        ("4.49999999999999999999", 1, 3, .halfUp, 1), ("4.50000000000000000001", 1, 3, .halfUp, 2),
        ("4.5", 1, 3, .halfEven, 2), ("1.5", 1, 3, .halfEven, 0), ("1.5", 1, 3, .halfUp, 1),
    ])
    func rounds(text: String, part: Int64, whole: Int64, rule: RoundingRule, expected: Int64) {
        #expect(Self.amount(text, part, whole)?.rounded(places: 0, rule) == expected)
    }

    @Test func whatDoesNotFitIsNil() throws {
        let huge = ExactDecimal(units: .min, scale: 0)
        #expect(ExactAmount(huge).negated == nil)
        #expect(ExactAmount(huge, times: 2, over: 1) == nil)
        #expect(ExactAmount(huge).rounded(places: 0, .down) == nil)
        #expect(ExactAmount(ExactDecimal(units: 1, scale: 0)).rounded(places: 36, .down) == nil)
        let most = try #require(ExactDecimal("9223372036854775807.4"))
        #expect(ExactAmount(most).rounded(places: 0, .halfUp) == .max)
        #expect(ExactAmount(most).rounded(places: 0, .up) == nil)
        let least = try #require(ExactDecimal("-9223372036854775808"))
        #expect(ExactAmount(least).rounded(places: 0, .up) == .min)
        #expect(ExactAmount(least, times: .min, over: .max)?.isNegative == false)
    }

    /// Against fractions of whole numbers of any size.
    @Test(arguments: 0..<60 as Range<UInt64>)
    func agreesWithWholeNumbersOfAnySize(seed: UInt64) throws {
        var random = SeededGenerator(state: seed)
        for _ in 0..<30 {
            let decimal = ExactDecimalTests.value(&random)
            let whole = Int64.random(in: 1...40_000_000, using: &random)
            let part = Int64.random(in: -50_000_000...50_000_000, using: &random)
            guard let amount = ExactAmount(decimal, times: part, over: whole) else { continue }
            let top = BigNumber(String(decimal.mantissa)) * BigNumber(String(part))
            let bottom = BigNumber.power(decimal.scale) * BigNumber(String(whole))
            let left = BigNumber(String(amount.numerator.mantissa)) * bottom
            let right =
                top * .power(amount.numerator.scale) * BigNumber(String(amount.denominator))
            #expect(left == right, "seed \(seed): \(decimal.text) × \(part) / \(whole)")
            let places = Int.random(in: 0...6, using: &random)
            for rule in RoundingRule.allCases {
                guard let rounded = amount.rounded(places: places, rule) else { continue }
                let expected = Self.rounded(top * .power(places), over: bottom, rule)
                #expect(
                    BigNumber(String(rounded)) == expected,
                    "seed \(seed): \(amount.text) at \(places) places, \(rule)")
            }
        }
    }

    @Test(arguments: 100..<130 as Range<UInt64>)
    func sumsAreExact(seed: UInt64) {
        var random = SeededGenerator(state: seed)
        for _ in 0..<40 {
            func draw() -> ExactAmount? {
                ExactAmount(
                    ExactDecimal(
                        units: Int128.random(in: -99_999...99_999, using: &random), scale: 3),
                    times: Int64.random(in: 0...2_678_400, using: &random),
                    over: [2_419_200, 2_678_400, 2_674_800][Int.random(in: 0...2, using: &random)])
            }
            guard let one = draw(), let other = draw() else { continue }
            let sum = one.adding(other)
            #expect(sum != nil, "seed \(seed)")
            #expect(sum?.subtracting(other) == one, "seed \(seed): \(one.text), \(other.text)")
            #expect(sum == other.adding(one), "seed \(seed)")
            #expect(one.adding(one) == one.multiplied(by: 2), "seed \(seed): \(one.text)")
        }
    }

    /// Rounds a fraction of whole numbers to a whole one.
    private static func rounded(
        _ top: BigNumber, over bottom: BigNumber, _ rule: RoundingRule
    ) -> BigNumber {
        let (quotient, rest) = top.magnitude.quotientAndRemainder(by: bottom)
        let (zero, one) = (BigNumber("0"), BigNumber("1"))
        let doubled = rest + rest
        let isOdd = (quotient.digits.first ?? 0) % 2 == 1
        let isUp =
            switch rule {
            case .down: false
            case .up: zero < rest
            case .halfUp: bottom <= doubled
            case .halfEven: bottom < doubled || (bottom == doubled && isOdd)
            }
        let magnitude = isUp ? quotient + one : quotient
        return top.isNegative ? -magnitude : magnitude
    }
}
