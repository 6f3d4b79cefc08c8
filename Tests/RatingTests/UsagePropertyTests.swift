import MeteringModel
import Rating
import Testing

/// Rules that hold for any price and usage; each seed makes other ones.
@Suite struct UsagePropertyTests {
    struct Draws {
        var random: SeededGenerator

        mutating func number(_ range: ClosedRange<Int64>) -> Int64 {
            Int64.random(in: range, using: &random)
        }

        mutating func amount() -> ExactDecimal {
            ExactDecimal(units: Int128(number(0...5_000)), scale: Int(number(0...5)))
        }

        mutating func tiers() -> [PriceTier] {
            var tiers: [PriceTier] = []
            var end: Int64 = 0
            for _ in 0..<number(0...4) {
                end += number(1...60)
                tiers.append(PriceTier(upTo: end, unit: amount(), flat: flat()))
            }
            return tiers + [PriceTier(upTo: nil, unit: amount(), flat: flat())]
        }

        private mutating func flat() -> ExactDecimal { number(0...2) == 0 ? amount() : .zero }

        mutating func model() -> UsagePrice.Model {
            switch number(0...3) {
            case 0: .perUnit(amount())
            case 1: .graduated(tiers())
            case 2: .volume(tiers())
            default: .package(size: number(1...50), amount())
            }
        }

        mutating func price() -> UsagePrice {
            UsagePrice(
                model: model(), included: number(0...1) == 0 ? .units(0) : .units(number(0...80)),
                maximum: number(0...3) == 0 ? amount() : nil,
                rounding: RoundingRule.allCases[Int(number(0...3))])
        }
    }

    /// The price of a total, unit by unit: as a person would count it.
    private static func counted(_ price: UsagePrice, _ total: Int64) -> ExactAmount? {
        var included: Int64 = 0
        if case .units(let units) = price.included { included = units }
        let billable = max(total - included, 0)
        var sum: ExactDecimal? = .zero
        func add(_ amount: ExactDecimal) { sum = sum?.adding(amount) }
        switch price.model {
        case .flat: return nil
        case .perUnit(let unit): for _ in 0..<billable { add(unit) }
        case .package(let size, let amount):
            var left = billable
            while left > 0 {
                add(amount)
                left -= size
            }
        case .graduated(let tiers):
            var reached = -1
            for number in 0..<billable {
                let place = tiers.firstIndex { number < $0.upTo ?? .max } ?? 0
                if place > reached { add(tiers[place].flat) }
                reached = place
                add(tiers[place].unit)
            }
        case .volume(let tiers):
            if billable > 0, let tier = tiers.first(where: { billable <= $0.upTo ?? .max }) {
                for _ in 0..<billable { add(tier.unit) }
                add(tier.flat)
            }
        }
        guard let sum else { return nil }
        return ExactAmount(price.maximum.map { min($0, sum) } ?? sum)
    }

    private static func exact(_ lines: [RatedLine]) -> ExactAmount? {
        lines.flatMap(\.parts).reduce(ExactAmount.zero as ExactAmount?) {
            $0?.adding($1.amount)
        }
    }

    @Test(arguments: 0..<60 as Range<UInt64>)
    func aTotalCostsWhatItsUnitsCost(seed: UInt64) throws {
        var draws = Draws(random: SeededGenerator(state: seed))
        for _ in 0..<20 {
            let price = draws.price()
            let used = draws.number(0...400)
            let lines = try UsageRating.lines(charge(price, used: used))
            #expect(
                Self.exact(lines) == Self.counted(price, used), "seed \(seed): \(price), \(used)")
        }
    }

    /// However events are ordered and the period is cut: under one price the parts come to f(total).
    @Test(arguments: 100..<140 as Range<UInt64>)
    func cutsAndOrderOfEventsDoNotMatter(seed: UInt64) throws {
        var draws = Draws(random: SeededGenerator(state: seed))
        for _ in 0..<20 {
            let price = draws.price()
            var events = (0..<draws.number(1...12)).map { _ in draws.number(0...40) }
            let total = events.reduce(0, +)
            let whole = try Self.exact(UsageRating.lines(charge(price, used: total)))
            events.shuffle(using: &draws.random)
            var cut = try charge(price, used: total)
            cut.spans = []
            var (from, reading) = (cut.period.start, Int64(0))
            for (index, event) in events.enumerated() {
                let isLast = index == events.count - 1
                let to = isLast ? cut.period.end : from.adding(seconds: draws.number(0...86_400))
                cut.spans.append(
                    UsageSpan(
                        from: from, to: to, price: price, currency: try currency("EUR"),
                        // Other sources keep spans apart.
                        source: "plan pro v\(index % 2)", limit: nil, before: reading,
                        after: reading + event))
                (from, reading) = (to, reading + event)
            }
            let lines = try UsageRating.lines(cut)
            #expect(Self.exact(lines) == whole, "seed \(seed): \(price), \(events)")
            #expect(lines.reduce(0) { $0 + $1.quantity + $1.includedQuantity } == total)
            #expect(Set(lines.map(\.key)).count == lines.count)
            // One source: one line, rounded once.
            for index in cut.spans.indices { cut.spans[index].source = "plan pro v1" }
            let one = try UsageRating.lines(cut)
            #expect(one.count <= 1)
            let expected = whole?.rounded(places: 2, price.rounding)
            #expect(sum(one) == expected, "seed \(seed): \(price), \(events)")
        }
    }

    @Test(arguments: 200..<240 as Range<UInt64>)
    func moreUsageNeverCostsLess(seed: UInt64) throws {
        var draws = Draws(random: SeededGenerator(state: seed))
        for _ in 0..<10 {
            var price = draws.price()
            // A cheaper tier for all units is what volume is for.
            if case .volume(let tiers) = price.model { price.model = .graduated(tiers) }
            if draws.number(0...4) == 0 { price.model = .flat(draws.amount()) }
            if draws.number(0...2) == 0 {
                price.minimum = min(draws.amount(), price.maximum ?? .zero)
            }
            var last: Int64 = 0
            for used in stride(from: Int64(0), through: 300, by: 7) {
                let amount = sum(try UsageRating.lines(charge(price, used: used)))
                #expect(amount >= last, "seed \(seed): \(price), \(used)")
                last = amount
            }
        }
    }

    @Test(arguments: 300..<320 as Range<UInt64>)
    func tiersBeginAndEndExactly(seed: UInt64) throws {
        var draws = Draws(random: SeededGenerator(state: seed))
        let tiers = draws.tiers()
        var (lower, below) = (Int64(0), ExactDecimal.zero)
        for tier in tiers {
            let price = UsagePrice(model: .graduated(tiers))
            let first = try Self.exact(UsageRating.lines(charge(price, used: lower + 1)))
            let step = try #require(below.adding(tier.unit)?.adding(tier.flat))
            #expect(first == ExactAmount(step), "seed \(seed): \(tiers)")
            guard let upTo = tier.upTo else { break }
            let size = ExactDecimal(units: Int128(upTo - lower), scale: 0)
            below = try #require(
                tier.unit.multiplied(by: size)?.adding(below)?.adding(tier.flat))
            let last = try Self.exact(UsageRating.lines(charge(price, used: upTo)))
            #expect(last == ExactAmount(below), "seed \(seed): \(tiers)")
            lower = upTo
        }
    }

    /// Whatever the cuts, lines and top-up come to at least the minimum, and to no more than it
    /// where usage is below.
    @Test(arguments: 400..<430 as Range<UInt64>)
    func aMinimumIsMetExactly(seed: UInt64) throws {
        var draws = Draws(random: SeededGenerator(state: seed))
        for _ in 0..<20 {
            let minimum = draws.amount()
            let price = UsagePrice(model: .perUnit(draws.amount()), minimum: minimum)
            let used = draws.number(0...50)
            let lines = try UsageRating.lines(
                charge([("2026-11-11", price, used / 2), ("2026-12-01", price, used)]))
            let least = try #require(ExactAmount(minimum).rounded(places: 2, .halfUp))
            let usage = sum(lines.filter { $0.kind == .usage })
            #expect(sum(lines) == max(least, usage), "seed \(seed): \(price), \(used)")
        }
    }
}
