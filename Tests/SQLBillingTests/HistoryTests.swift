import MeteringModel
import MeteringPorts
import SQLBilling
import Testing

/// Reading of many customers at once: the same as reading each by itself.
@Suite("histories") struct HistoryTests {
    private static let customers: [CustomerID] = ["beta", "acme", "nobody", "acme2"]

    /// Two months of one customer, an adjustment on the second and another that waits; one month of
    /// others.
    private static func fixture() throws -> StoreFixture {
        let fixture = try StoreFixture()
        let store = fixture.store
        _ = try store.close([
            closing("acme", october, [line("a1", 5), line("a2", 7)]),
            closing("beta", october, [line("b1", 1)]), closing("acme2", october.next, []),
        ])
        func settle(_ id: String, _ amount: Int64, base: Int) throws {
            try store.settle(
                MonthSettlement(
                    customer: "acme", month: october, base: base,
                    lines: [line(id, amount, correcting: october)], marks: []))
        }
        try settle("a3", 3, base: 0)
        _ = try store.close([closing("acme", october.next, [line("a4", 2)])])
        try settle("a5", -1, base: 1)
        try store.note([mark("acme", "r1"), mark("beta", "r2")], cursor: nil)
        return fixture
    }

    @Test("what was billed of each month is what asking for it gives") func billed() throws {
        let fixture = try Self.fixture()
        let store = fixture.store
        let histories = try store.histories(of: Self.customers)
        #expect(histories.map(\.customer) == Self.customers)
        for history in histories {
            let customer = history.customer
            let statements = try store.statements(
                customer: customer, month: nil, after: nil, limit: 10)
            #expect(history.statements == statements)
            #expect(history.marks == (try store.marks(customer, nil)))
            #expect(history.pendingLines == (try store.pendingLines(customer)))
            for month in [october.previous, october, october.next] {
                let billed = try store.billed(customer, month)
                let known = history.billed(month)
                #expect(known.map(\.id) == (billed.lines + billed.adjustments).map(\.id))
                #expect(
                    known.map(\.amount) == (billed.lines + billed.adjustments).map(\.amount))
            }
        }
        #expect(histories[1].billed(october).map(\.id) == ["a1", "a2", "a3", "a5"])
    }

    @Test("documents are there of adjustments alone") func documents() throws {
        let fixture = try Self.fixture()
        let history = try #require(try fixture.store.histories(of: ["acme"]).first)
        #expect(history.lines.map(\.line.id) == ["a1", "a2", "a4", "a3"])
        #expect(history.lines.map(\.line.document.isNull) == [true, true, true, false])
        #expect(history.lines.map(\.month) == [october, october] + [october.next, october.next])
    }

    @Test("statements and lines that wait, of some customers") func some() throws {
        let fixture = try Self.fixture()
        let store = fixture.store
        let near = try store.statements(
            of: Self.customers, from: october.previous, through: october)
        #expect(near.mapValues { $0.map(\.month) } == ["acme": [october], "beta": [october]])
        let both = try store.statements(of: ["acme"], from: october, through: october.next)
        #expect(both["acme"]?.map(\.month) == [october, october.next])
        let waiting = try store.pendingLines(of: Self.customers)
        #expect(waiting.mapValues { $0.map(\.id) } == ["acme": ["a5"]])
        #expect(try store.histories(of: []).isEmpty)
        #expect(try store.statements(of: [], from: october, through: october).isEmpty)
    }
}
