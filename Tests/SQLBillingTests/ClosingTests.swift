import MeteringModel
import MeteringPorts
import SQLBilling
import Testing

@Suite("Closing in the store") struct ClosingTests {
    @Test("a month is closed once") func once() throws {
        let fixture = try StoreFixture()
        let first = try fixture.store.close([closing("acme", october, [line("a", 100)])])
        #expect(first.compactMap(\.self).map(\.sequence) == [1])
        let again = try fixture.store.close([
            closing("acme", october, [line("b", 500)]), closing("other"),
        ])
        #expect(again[0] == nil)
        #expect(again[1]?.customer == "other")
        #expect(try fixture.store.lines("acme", october) == [line("a", 100)])
        try fixture.reopen()
        let read = try #require(try fixture.store.statement("acme", october))
        #expect(read.totals == [MoneyTotal(currency: currency("EUR"), amount: 100)])
        #expect(read.lineCount == 1)
        #expect(read.period == period)
    }

    @Test("ids that only look alike are two customers") func bytes() throws {
        let fixture = try StoreFixture()
        let written = try fixture.store.close([closing("caf\u{e9}"), closing("cafe\u{301}")])
        #expect(written.compactMap(\.self).count == 2)
    }

    @Test("totals by currency") func totals() throws {
        let fixture = try StoreFixture()
        _ = try fixture.store.close([
            closing(
                "acme", october, [line("a", 100), line("b", -30), line("c", 7, "USD")])
        ])
        let totals = try fixture.store.statement("acme", october)?.totals
        #expect(
            totals == [
                MoneyTotal(currency: currency("EUR"), amount: 70),
                MoneyTotal(currency: currency("USD"), amount: 7),
            ])
    }

    @Test("a total that leaves 64 bits is refused, and with it all of the call") func overflow()
        throws
    {
        let fixture = try StoreFixture()
        #expect(throws: BillingStoreError.self) {
            try fixture.store.close([
                closing("fine"),
                closing("acme", october, [line("a", .max), line("b", 1)]),
            ])
        }
        #expect(try fixture.store.statement("fine", october) == nil)
    }

    @Test("waiting adjustments go into the next statement, once") func attach() throws {
        let fixture = try StoreFixture()
        let store = fixture.store
        _ = try store.close([closing("acme", october, [line("a", 100)])])
        try store.settle(
            MonthSettlement(
                customer: "acme", month: october, base: 0,
                lines: [line("x", 5, correcting: october)], marks: []))
        #expect(try store.customersWithPendingLines(after: nil, limit: 10) == ["acme"])
        _ = try store.close([
            closing("acme", october.next, [line("b", 1)]), closing("other", october.next),
        ])
        #expect(try store.pendingLines("acme").isEmpty)
        #expect(
            try store.lines("acme", october.next) == [
                line("b", 1), line("x", 5, correcting: october),
            ])
        #expect(try store.lines("other", october.next).isEmpty)
        let billed = try store.billed("acme", october)
        #expect(billed.lines == [line("a", 100)])
        #expect(billed.adjustments == [line("x", 5, correcting: october)])
        #expect(try store.billed("acme", october.next).lines == [line("b", 1)])
    }

    @Test("a month that was billed by adjustments is not closed as well") func adjustedOnly() throws
    {
        let fixture = try StoreFixture()
        try fixture.store.settle(
            MonthSettlement(
                customer: "acme", month: october, base: 0,
                lines: [line("x", 5, correcting: october)], marks: []))
        let closed = try fixture.store.close([closing("acme", october, [line("a", 5)])])
        #expect(closed == [nil])
    }

    @Test("lists go by month and customer, feeds by closing") func lists() throws {
        let fixture = try StoreFixture()
        let store = fixture.store
        _ = try store.close([
            closing("b", october.next), closing("b"), closing("a", october.next), closing("a"),
        ])
        func places(
            _ customer: CustomerID?, _ month: BillingMonth?, _ after: StatementPlace?
        ) throws -> [String] {
            try store.statements(customer: customer, month: month, after: after, limit: 10)
                .map { "\($0.month)\($0.customer)" }
        }
        #expect(try places(nil, nil, nil) == ["2026-10a", "2026-10b", "2026-11a", "2026-11b"])
        #expect(try places("b", nil, nil) == ["2026-10b", "2026-11b"])
        #expect(try places(nil, october.next, nil) == ["2026-11a", "2026-11b"])
        let after = StatementPlace(month: october, customer: "b")
        #expect(try places(nil, nil, after) == ["2026-11a", "2026-11b"])
        #expect(try places("a", october.next, after) == ["2026-11a"])
        #expect(
            try store.statements(afterSequence: 2, limit: 10).map(\.sequence) == [3, 4])
    }

    @Test("one process at a time") func lock() throws {
        let fixture = try StoreFixture()
        #expect {
            try SQLBilling(path: fixture.folder + "/billing.db")
        } throws: { ($0 as? BillingStoreError)?.code == .busy }
    }

    @Test("a closed store says so") func closed() throws {
        let fixture = try StoreFixture()
        fixture.store.close()
        #expect {
            try fixture.store.statement("acme", october)
        } throws: { ($0 as? BillingStoreError)?.code == .unavailable }
    }
}
