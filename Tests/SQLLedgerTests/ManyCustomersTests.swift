import MeteringModel
import MeteringPorts
import SQLLedger
import Testing

/// Reading of many customers at once: the same as reading each by itself.
@Suite("many customers at once") struct ManyCustomersTests {
    private static let day: Int64 = 86_400
    private static let names = ["a", "acme", "acme-2", "b", "e\u{301}", "\u{e9}", "z"]

    private static func customer(_ number: Int) -> CustomerID {
        CustomerID(names[number % names.count] + "-\(number / names.count)")
    }

    /// Customers of many kinds: few with much usage, many with little, days that nobody has.
    private static func fixture(
        _ draws: inout SeededDraws
    ) throws -> (LedgerFixture, [CustomerID]) {
        var fixture = try LedgerFixture()
        let customers = (0..<120).map { customer($0) }
        var batch = fixture.batch()
        for day in 0..<6 where day != 3 {
            let start = Timestamp(seconds: 1_700_006_400 + Int64(day) * Self.day)
            for (number, customer) in customers.enumerated() {
                if draws.next(below: number % 10 == 0 ? 1 : 5) != 0 { continue }
                for meter in ["requests", "tokens"] as [MeterKey] {
                    for label in ["{}", #"{"model":"x"}"#] where draws.next(below: 3) > 0 {
                        let state = UsageState(count: 1, value: Int64(draws.next(below: 900)))
                        let hour = start.adding(seconds: Int64(draws.next(below: 24)) * 3_600)
                        for (window, at) in [(RollupWindow.hour, hour), (.day, start)] {
                            batch.rollups.append(
                                RollupDelta(
                                    customer: customer, meter: meter, window: window, start: at,
                                    dimensions: label, aggregation: .sum, delta: state))
                        }
                    }
                }
            }
        }
        try fixture.commit(batch)
        return (fixture, customers)
    }

    @Test("rollups of some are those of each", arguments: 1...12)
    func rollups(seed: UInt64) throws {
        var draws = SeededDraws(seed)
        let (fixture, customers) = try Self.fixture(&draws)
        let ledger = fixture.ledger
        let from = Timestamp(seconds: 1_700_006_400 + Int64(draws.next(below: 3)) * Self.day)
        let to = from.adding(seconds: 3 * Self.day)
        // From all to very few, in any order, some of them twice or unknown.
        let share = [1, 2, 12, 60][draws.next(below: 4)]
        var wanted = customers.filter { _ in draws.next(below: share) == 0 }.reversed() + ["none"]
        wanted += wanted.prefix(2)
        let days = try ledger.dayUsage(of: wanted, from: from, to: to)
        let hours = try ledger.hourUsage(of: wanted, "tokens", from: from, to: to)
        for customer in customers {
            guard wanted.contains(customer) else {
                #expect(days[customer] == nil && hours[customer] == nil)
                continue
            }
            func single(_ window: RollupWindow, _ meter: MeterKey) throws -> [StoredRollup] {
                try ledger.rollups(
                    RollupQuery(
                        customer: customer, meter: meter, window: window, from: from, to: to))
            }
            let expected = try single(.hour, "tokens")
            let found = hours[customer] ?? []
            #expect(found.map(\.start) == expected.map(\.start))
            #expect(found.map(\.dimensions) == expected.map(\.dimensions))
            #expect(found.map(\.state) == expected.map(\.state))
            for meter in ["requests", "tokens"] as [MeterKey] {
                let rows = (days[customer] ?? []).filter { $0.meter == meter }
                let expected = try single(.day, meter)
                #expect(rows.map(\.start) == expected.map(\.start))
                #expect(rows.map(\.state) == expected.map(\.state))
            }
        }
        #expect(try ledger.dayUsage(of: [], from: from, to: to).isEmpty)
    }

    @Test("rows of many keys are those of each") func usage() throws {
        var fixture = try LedgerFixture()
        try fixture.commit(usage: [delta(5), delta(7, key: key("beta"))])
        let keys = [key(), key("beta"), key("nobody"), key("acme", "requests")]
        let rows = try fixture.ledger.usage(keys)
        #expect(rows.mapValues(\.state.value) == [keys[0]: 5, keys[1]: 7])
        #expect(try fixture.ledger.usage([]).isEmpty)
    }
}

/// SplitMix64.
struct SeededDraws {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed }

    mutating func next(below bound: Int) -> Int {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = (state ^ (state >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return Int((mixed ^ (mixed >> 31)) % UInt64(bound))
    }
}
