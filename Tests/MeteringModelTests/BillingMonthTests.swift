import MeteringModel
import Testing

@Suite("Billing months") struct BillingMonthTests {
    @Test("texts", arguments: ["2026-11", "0001-01", "9998-12"]) func texts(_ text: String) {
        #expect(BillingMonth(text)?.description == text)
    }

    @Test(
        "what is no month",
        arguments: [
            "2026-13", "2026-00", "26-11", "2026-1", "2026/11", "2026-11-01", "", "0000-01",
            "9999-12", "+026-11", "２026-11",
        ])
    func wrong(_ text: String) {
        #expect(BillingMonth(text) == nil)
    }

    @Test("months follow each other, and tile the time of a zone") func order() throws {
        let december = try #require(BillingMonth("2026-12"))
        #expect(december.next.description == "2027-01")
        #expect(december.next.previous == december)
        #expect(december < december.next)
        let period = december.period(zone: .utc)
        #expect(period.end == december.next.period(zone: .utc).start)
        #expect(BillingMonth(containing: period.start, zone: .utc) == december)
        let last = Timestamp(microseconds: period.end.microseconds - 1)
        #expect(BillingMonth(containing: last, zone: .utc) == december)
        #expect(BillingMonth(count: december.count) == december)
    }
}
