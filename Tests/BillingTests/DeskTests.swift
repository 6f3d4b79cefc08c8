import Entitlements
import MeteringModel
import MeteringPorts
import SQLBilling
import Testing

@testable import Billing

/// What people are shown.
@Suite("Desk") struct DeskTests {
    private static func shop() throws -> Shop {
        let shop = try Shop(PriceList.catalog(.graduated), now: "2026-09-30T23:00:00Z")
        try shop.customer("acme")
        try shop.subscribe("acme", plan: "pro", start: "2026-09-30T22:00:00Z")
        try shop.use("e1", "acme", 1_000, "2026-10-10T12:00:00Z")
        try shop.use("e2", "acme", 600, "2026-10-10T18:00:00Z")
        try shop.use("e3", "acme", 400, "2026-10-20T12:00:00Z")
        return shop
    }

    private static func read(
        _ shop: Shop, _ subject: BillingQuery.Subject, cursor: String? = nil, limit: Int = 100
    ) async throws -> JSONValue {
        try await shop.service.read(
            BillingQuery(subject: subject, principal: .local, cursor: cursor, limit: limit)
        ).body
    }

    private static func statement(_ shop: Shop, _ month: String) async throws -> JSONValue {
        try await read(shop, .statement("acme", month: month, isExplained: true))
    }

    @Test("open, then grace, then closed") func states() async throws {
        let shop = try Self.shop()
        shop.clock.set("2026-10-21T00:00:00Z")
        let open = try await Self.statement(shop, "2026-10")
        #expect(open["state"]?.text == "open")
        // The fee is due; the usage is of a month that goes on.
        #expect(open["lines"]?.elements?.map { $0["kind"]?.text } == ["fee"])
        #expect(open["so_far"]?.elements?.map { $0["kind"]?.text } == ["usage"])
        #expect(open["totals"]?.elements?.first?["amount"]?.text == "30.00")
        shop.clock.set("2026-11-02T00:00:00Z")
        let grace = try await Self.statement(shop, "2026-10")
        #expect(grace["state"]?.text == "grace")
        #expect(grace["so_far"] == nil)
        shop.clock.set("2026-11-04T00:00:00Z")
        try await shop.round()
        let closed = try await Self.statement(shop, "2026-10")
        #expect(closed["state"]?.text == "closed")
        #expect(closed["lines"] == grace["lines"])
        #expect(closed["totals"] == grace["totals"])
        #expect(closed["closed_by"]?.text == "tollgate")
        await #expect(throws: ControlProblem.self) {
            try await Self.statement(shop, "2026-12")
        }
        await #expect(throws: ControlProblem.self) {
            try await Self.read(
                shop, .statement("acme#sandbox", month: "2026-10", isExplained: false))
        }
    }

    @Test("a line is explained by its tiers and its days") func explained() async throws {
        let shop = try Self.shop()
        shop.clock.set("2026-11-04T00:00:00Z")
        try await shop.round()
        let statement = try await Self.statement(shop, "2026-10")
        let line = try #require(
            statement["lines"]?.elements?.first { $0["kind"]?.text == "usage" })
        // 2,000 used, 100 included: 1,000 at 0.01, then 5.00 and 900 at 0.0033.
        #expect(line["amount"]?.text == "17.97")
        #expect(line["quantity"]?.integer == 1_900)
        #expect(line["included_quantity"]?.integer == 100)
        #expect(line["usage"]?["after"]?.integer == 2_000)
        #expect(line["rounding"]?.text == "half_up")
        let parts = try #require(line["parts"]?.elements)
        #expect(parts.map { $0["quantity"]?.integer } == [1_000, 900])
        #expect(parts.map { $0["amount"]?.text } == ["10", "7.97"])
        let days = try #require(line["rollups"]?.elements)
        #expect(
            days.map { $0["start"]?.text } == ["2026-10-09T22:00:00Z", "2026-10-19T22:00:00Z"])
        #expect(days.map { $0["value"]?.integer } == [1_600, 400])
        #expect(line["rollups_total"]?.integer == 2_000)
    }

    @Test("lines have the same ids before and after closing, and rated again") func ids()
        async throws
    {
        let shop = try Self.shop()
        shop.clock.set("2026-11-02T00:00:00Z")
        let before = try await Self.statement(shop, "2026-10")["lines"]?.elements?
            .compactMap { $0["id"]?.text }
        shop.clock.set("2026-11-04T00:00:00Z")
        try await shop.round()
        let closed = try shop.lines("acme", "2026-10").map(\.id)
        #expect(before == closed)
        #expect(Set(closed).count == closed.count)
        #expect(closed.allSatisfy { $0.hasPrefix("li_") && $0.utf8.count == 35 })
    }

    @Test("what waits is on the open statement") func waiting() async throws {
        let shop = try Self.shop()
        shop.clock.set("2026-11-04T00:00:00Z")
        try await shop.round()
        try shop.use("late", "acme", 100, "2026-10-05T12:00:00Z")
        try await shop.round()
        let open = try await Self.statement(shop, "2026-11")
        let line = try #require(
            open["lines"]?.elements?.first { $0["kind"]?.text == "adjustment" })
        #expect(line["corrects"]?.text == "2026-10")
        #expect(line["amount_before"]?.text == "17.97")
        #expect(line["amount_after"]?.text == "18.30")
        #expect(line["amount"]?.text == "0.33")
        #expect(line["causes"]?.elements?.first?["kind"]?.text == "late_usage")
        #expect(line["charge"]?["kind"]?.text == "usage")
        #expect(open["totals"]?.elements?.first?["amount"]?.text == "30.33")
    }

    @Test("lists, page by page") func lists() async throws {
        let shop = try Self.shop()
        try shop.customer("beta", zone: "UTC")
        try shop.subscribe("beta", plan: "pro", start: "2026-10-01T00:00:00Z")
        shop.clock.set("2026-12-05T00:00:00Z")
        try await shop.round()
        func names(_ page: JSONValue) -> [String] {
            page["items"]?.elements?.map {
                "\($0["month"]?.text ?? "") \($0["customer"]?.text ?? "") "
                    + "\($0["state"]?.text ?? "")"
            } ?? []
        }
        let first = try await Self.read(shop, .statements(month: nil, state: nil), limit: 3)
        #expect(
            names(first) == [
                "2026-10 acme closed", "2026-10 beta closed", "2026-11 acme closed",
            ])
        let next = try #require(first["next"]?.text)
        let second = try await Self.read(
            shop, .statements(month: nil, state: nil), cursor: next, limit: 3)
        #expect(names(second) == ["2026-11 beta closed"])
        #expect(second["next"]?.isNull == true)
        let open = try await Self.read(shop, .statements(month: "2026-12", state: "open"))
        #expect(names(open) == ["2026-12 acme open", "2026-12 beta open"])
        let own = try await Self.read(shop, .statementsOf("acme"))
        #expect(
            names(own) == [
                "2026-12 acme open", "2026-10 acme closed", "2026-11 acme closed",
            ])
        for (subject, code) in [
            (BillingQuery.Subject.statements(month: nil, state: "open"), "missing"),
            (.statements(month: nil, state: "lost"), "invalid_state"),
            (.statementsOf("nobody"), "not_found"),
        ] {
            do throws(ControlProblem) {
                _ = try await shop.service.read(
                    BillingQuery(subject: subject, principal: .local))
                Issue.record("\(subject) was answered")
            } catch {
                #expect(error.code == code)
            }
        }
        await #expect(throws: ControlProblem.self) {
            try await Self.read(shop, .statementsOf("acme"), cursor: "2026-10:other")
        }
    }

    @Test("the check finds what was not told") func check() async throws {
        let shop = try Self.shop()
        shop.clock.set("2026-11-04T00:00:00Z")
        try await shop.round()
        #expect(try await shop.check()["drift_count"]?.integer == 0)
        // The ledger changes, and nobody says so.
        try shop.usage.void("e3", now: shop.clock.now, tells: false)
        try await shop.round()
        let check = try await shop.check()
        let drift = try #require(check["drifts"]?.elements?.first)
        #expect(drift["billed"]?.text == "17.97")
        #expect(drift["rated"]?.text == "16.65")
        #expect(check["checked"]?["customers"]?.integer == 1)
    }

    @Test("events of a line, by way of the log") func events() async throws {
        let shop = try Self.shop()
        shop.clock.set("2026-11-04T00:00:00Z")
        try await shop.round()
        let line = try #require(try shop.lines("acme", "2026-10").first { $0.meter != nil })
        let fee = try #require(try shop.lines("acme", "2026-10").first { $0.meter == nil })
        let service = BillingService(
            shop.sources, engine: shop.engine, events: OneEvent(line: line))
        func answer(_ id: String) async throws(ControlProblem) -> JSONValue {
            try await service.read(
                BillingQuery(
                    subject: .events("acme", month: "2026-10", line: id), principal: .local)
            ).body
        }
        let page = try await answer(line.id)
        #expect(page["items"]?.elements?.first?["voided_by"]?.text == "c1")
        for (id, code) in [(fee.id, "no_events"), ("li_0", "not_found")] {
            do throws(ControlProblem) {
                _ = try await answer(id)
                Issue.record("\(id) was answered")
            } catch {
                #expect(error.code == code)
            }
        }
    }
}

/// Answers one event, and holds the question to be the line's.
private final class OneEvent: EventLookup {
    let line: StatementLine
    init(line: StatementLine) { self.line = line }

    func events(
        customer: CustomerID, meter: MeterKey, from: Timestamp, to: Timestamp, cursor: String?,
        limit: Int
    ) async throws(QueryError) -> (events: [ExplainedEvent], next: String?) {
        guard customer == "acme", meter == line.meter, from == line.from, to == line.to else {
            throw QueryError(code: .invalid, message: "not the line's")
        }
        let event = ExplainedEvent(
            position: LogPosition(partition: 0, offset: 7), source: "s", id: "e1", subject: "key",
            time: from, value: 12, voidedBy: "c1")
        return ([event], nil)
    }
}
