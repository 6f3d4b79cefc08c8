import MeteringModel
import MeteringPorts
import SQLBilling
import Synchronization
import Testing

@testable import Billing

@Suite("Closing months") struct ClosingTests {
    private static func command(
        _ month: String, _ customer: CustomerID? = nil, key: String? = nil,
        reason: String? = "invoices go out"
    ) -> BillingCommand {
        BillingCommand(
            operation: .close(month: month, customer: customer),
            context: CommandContext(
                principal: .local, requestID: "r", idempotencyKey: key, reason: reason),
            digest: month)
    }

    private static let october = BillingMonth("2026-10")

    private static func shop() throws -> Shop {
        let shop = try Shop(PriceList.catalog(.unit), now: "2026-09-30T23:00:00Z")
        try shop.customer("acme")
        try shop.subscribe("acme", plan: "pro", start: "2026-09-30T22:00:00Z")
        try shop.use("e1", "acme", 1_100, "2026-10-10T12:00:00Z")
        return shop
    }

    @Test("not before the grace is over, and once") func grace() async throws {
        let shop = try Self.shop()
        shop.clock.set("2026-11-03T22:59:59Z")
        try await shop.round()
        #expect(try shop.statements("acme").isEmpty)
        shop.clock.set("2026-11-03T23:00:00Z")
        try await shop.round()
        #expect(try shop.statements("acme").map(\.closedBy) == ["tollgate"])
        #expect(try await shop.engine.closeDue() == 0)
        // Fee of October, and 1,000 units at 0.002345.
        #expect(try shop.billed("acme") == [.eur: 3_000 + 235])
    }

    @Test("by hand: refused while the month goes on, and the second time") func hand() async throws
    {
        let shop = try Self.shop()
        func code(_ command: BillingCommand) async -> String? {
            do throws(ControlProblem) {
                _ = try await shop.service.perform(command)
                return nil
            } catch {
                return error.code
            }
        }
        shop.clock.set("2026-10-31T22:59:59Z")
        #expect(await code(Self.command("2026-10")) == "period_not_over")
        #expect(await code(Self.command("2026-10", "acme")) == "period_not_over")
        shop.clock.set("2026-10-31T23:00:00Z")
        #expect(await code(Self.command("2026-10", "nobody")) == "not_found")
        #expect(await code(Self.command("October", "acme")) == "invalid_month")
        #expect(await code(Self.command("2026-10", reason: nil)) == "missing")
        #expect(await code(Self.command("2026-10", key: "k1")) == nil)
        #expect(await code(Self.command("2026-10")) == "already_closed")
        #expect(await code(Self.command("2026-10", "acme")) == "already_closed")
        // The same command again, under its key.
        #expect(await code(Self.command("2026-10", key: "k1")) == nil)
        #expect(await code(Self.command("2026-09", key: "k1")) == "idempotency_conflict")
        let closed = try #require(try shop.statements("acme").first)
        #expect(closed.closedBy == "local")
        #expect(closed.reason == "invoices go out")
    }

    @Test("by hand: a customer whose zone is new keeps a month open that goes on there")
    func handInNewZone() async throws {
        let shop = try Self.shop()
        try await shop.round()
        // The book of zones has only Berlin's.
        try shop.customer("late", zone: "America/New_York")
        try shop.subscribe("late", plan: "pro", start: "2026-10-01T04:00:00Z")
        shop.clock.set("2026-10-31T23:00:00Z")
        await #expect(throws: ControlProblem.self) {
            try await shop.service.perform(Self.command("2026-10"))
        }
        #expect(try shop.statements("acme").isEmpty)
        shop.clock.set("2026-11-01T04:00:00Z")
        _ = try await shop.service.perform(Self.command("2026-10"))
        #expect(try shop.statements("late").map(\.month) == [Self.october])
    }

    @Test("by hand: refused while the month goes on though nobody was there at the start")
    func handAtTheStart() async throws {
        let shop = try Shop(PriceList.catalog(.unit), now: "2026-10-20T00:00:00Z")
        try await shop.round()
        await #expect(throws: ControlProblem.self) {
            try await shop.service.perform(Self.command("2026-10"))
        }
        try shop.customer("acme")
        try shop.subscribe("acme", plan: "pro", start: "2026-10-01T00:00:00Z")
        await #expect(throws: ControlProblem.self) {
            try await shop.service.perform(Self.command("2026-11"))
        }
        #expect(try shop.statements("acme").isEmpty)
    }

    @Test("a clock that was ahead and is put back: what happens in closed months is billed")
    func clockPutBack() async throws {
        let shop = try Self.shop()
        shop.clock.set("2026-12-20T00:00:00Z")
        try await shop.round()
        #expect(try shop.statements("acme").count == 2)
        shop.clock.set("2026-10-20T00:00:00Z")
        shop.restart()
        try shop.use("e2", "acme", 1_000, "2026-10-25T12:00:00Z")
        try shop.change(
            "acme", #"{"version":2}"#, from: "2026-11-16T00:00:00Z", request: "upgrade")
        var check = try await shop.check()
        #expect(check["drift_count"]?.integer == 0, "\(check.canonicalText)")
        #expect(check["waiting_count"]?.integer == 2)
        try await shop.round()
        shop.clock.set("2026-12-20T00:00:00Z")
        try await shop.round()
        check = try await shop.check()
        #expect(check["drift_count"]?.integer == 0, "\(check.canonicalText)")
        #expect(check["waiting_count"]?.integer == 0)
        let billed = try shop.billed("acme")
        // Billed right the first time.
        let right = try Self.shop()
        try right.use("e2", "acme", 1_000, "2026-10-25T12:00:00Z")
        try right.change(
            "acme", #"{"version":2}"#, from: "2026-11-16T00:00:00Z", request: "upgrade")
        right.clock.set("2026-12-20T00:00:00Z")
        try await right.round()
        #expect(billed == (try right.billed("acme")))
    }

    @Test("a zone whose first contract begins later keeps the months before it open")
    func laterContractFirst() async throws {
        let shop = try Shop(PriceList.catalog(.unit), now: "2026-09-30T23:00:00Z")
        try await shop.round()
        try shop.customer("later", zone: "Asia/Tokyo")
        try shop.subscribe("later", plan: "pro", start: "2027-03-01T00:00:00Z")
        try await shop.round()
        try shop.customer("now", zone: "Asia/Tokyo")
        try shop.subscribe("now", plan: "pro", start: "2026-09-30T15:00:00Z")
        try shop.use("e1", "now", 1_100, "2026-10-10T12:00:00Z")
        try await shop.round()
        shop.clock.set("2026-11-04T00:00:00Z")
        try await shop.round()
        #expect(try shop.statements("now").map(\.month) == [Self.october])
        #expect(try shop.billed("now") == [.eur: 3_000 + 235])
        #expect(try shop.statements("later").isEmpty)
    }

    @Test("closed by hand in the grace: late events are found when it ends") func recheck()
        async throws
    {
        let shop = try Self.shop()
        shop.clock.set("2026-11-01T08:00:00Z")
        _ = try await shop.service.perform(Self.command("2026-10"))
        // In the grace, so metering does not call it late.
        try shop.use("e2", "acme", 1_000, "2026-10-31T12:00:00Z")
        try await shop.round()
        #expect(try shop.store.pendingLines("acme").isEmpty)
        let check = try await shop.check()
        #expect(check["drift_count"]?.integer == 0)
        #expect(check["waiting_count"]?.integer == 1)
        shop.clock.set("2026-11-03T23:00:00Z")
        try await shop.round()
        let pending = try shop.store.pendingLines("acme")
        // 2,000 units are 4.69, of which 2.35 were billed.
        #expect(pending.map(\.amount) == [469 - 235])
        #expect(pending[0].correction?.causes.map(\.kind) == [.recheck])
        #expect(try await shop.check()["waiting_count"]?.integer == 0)
    }

    @Test("2,000 customers, killed in the middle") func many() async throws {
        var settings = BillingSettings()
        settings.closingCountMax = 100
        let shop = try Shop(
            PriceList.catalog(.unit), now: "2026-09-30T23:00:00Z", settings: settings)
        let zones = ["Europe/Berlin", "America/New_York"]
        for number in 0..<2_000 {
            let id = CustomerID("c\(number)")
            try shop.customer(id, zone: zones[number % 2])
            try shop.book.change(
                .subscription, "s\(number)", id,
                json(
                    #"{"customer":"\#(id)","plan":"pro","version":1,"#
                        + #""start":"2026-10-01T12:00:00Z"}"#),
                request: "subscribe", at: shop.clock.now, publishes: false)
        }
        try shop.book.publish()
        for number in stride(from: 0, to: 2_000, by: 50) {
            try shop.use("e\(number)", CustomerID("c\(number)"), 1_100, "2026-10-10T12:00:00Z")
        }
        shop.clock.set("2026-11-05T00:00:00Z")
        try await shop.engine.prepare()
        let faulty = FaultyStore(shop.store, failsAt: 13, .after)
        shop.restart(faulty)
        await #expect(throws: BillingError.self) { try await shop.engine.closeDue() }
        let middle = try shop.store.statements(afterSequence: 0, limit: 5_000).count
        #expect(middle > 0 && middle < 2_000)
        shop.restart()
        let rest = try await shop.engine.closeDue()
        #expect(middle + rest == 2_000)
        let all = try shop.store.statements(afterSequence: 0, limit: 5_000)
        #expect(Set(all.map(\.customer)).count == 2_000)
        // The fee of October is prorated from the first: it is the cycle of the subscription.
        let sum = all.flatMap(\.totals).reduce(0) { $0 + $1.amount }
        #expect(sum == 2_000 * 3_000 + 40 * 235)
        // Nothing to do: no customer is looked at.
        #expect(try await shop.engine.closeDue() == 0)
    }

    @Test("a change in the midst of closing is billed once, whoever comes first") func between()
        async throws
    {
        var settings = BillingSettings()
        settings.closingCountMax = 1
        let shop = try Shop(
            PriceList.catalog(.unit), now: "2026-09-30T23:00:00Z", settings: settings)
        // Closed first, with nothing to bill.
        try shop.customer("a")
        for id in ["b", "c", "d"] {
            try shop.customer(CustomerID(id))
            try shop.subscribe(CustomerID(id), plan: "pro", start: "2026-09-30T22:00:00Z")
        }
        shop.clock.set("2026-11-04T00:00:00Z")
        let (book, now) = (shop.book, shop.clock.now)
        let once = Mutex(false)
        let tasks = Mutex<[Task<Void, any Error>]>([])
        let engine = Mutex<BillingEngine?>(nil)
        let store = FaultyStore(shop.store) {
            if once.withLock({ isDone in
                defer { isDone = true }; return isDone
            }) {
                return
            }
            let subscription =
                #"{"customer":"a","plan":"pro","version":1,"start":"2026-09-30T22:00:00Z"}"#
            guard let document = try? json(subscription),
                (try? book.change(
                    .subscription, "sub_a", "a", document, request: "late", at: now)) != nil
            else { return }
            let engine = engine.withLock { $0 }
            tasks.withLock {
                $0.append(
                    Task {
                        try await engine?.follow()
                        try await engine?.adjust()
                    })
            }
        }
        shop.restart(store)
        engine.withLock { $0 = shop.engine }
        try await shop.engine.closeDue()
        for task in tasks.withLock({ $0 }) { try await task.value }
        try await shop.round()
        for id in ["a", "b", "c", "d"] {
            #expect(try shop.billed(CustomerID(id)) == [.eur: 3_000], "\(id)")
        }
        #expect(try await shop.check()["drift_count"]?.integer == 0)
    }

    @Test("a customer that cannot be rated holds nobody up, and is billed when it can be")
    func unrateable() async throws {
        let huge = UsagePrice(model: .perUnit(decimal("999999999999")))
        let shop = try Shop(
            PriceList.catalog(
                plans: [
                    PriceList.plan("pro", 1, PriceList.price(.unit, factor: 1), fee: "30"),
                    PriceList.plan("huge", 1, huge, fee: "10"),
                ]), now: "2026-09-30T23:00:00Z")
        for (id, plan) in [("acme", "pro"), ("broken", "huge")] {
            try shop.customer(CustomerID(id))
            try shop.subscribe(CustomerID(id), plan: plan, start: "2026-09-30T22:00:00Z")
        }
        try shop.use("e1", "broken", 9_000_000_000_000_000, "2026-10-10T12:00:00Z")
        shop.clock.set("2026-11-04T00:00:00Z")
        try await shop.round()
        #expect(try shop.statements("acme").count == 1)
        #expect(try shop.statements("broken").isEmpty)
        #expect(try await shop.check()["mismatch_count"]?.integer ?? 0 > 0)
        // The event was a mistake.
        try shop.usage.void("e1", now: shop.clock.now)
        shop.clock.set("2026-11-04T02:00:00Z")
        try await shop.round()
        #expect(try shop.billed("broken") == [.eur: 1_000])
        shop.clock.set("2026-12-04T00:00:00Z")
        try await shop.round()
        #expect(try shop.statements("broken").map(\.month.description) == ["2026-11"])
        #expect(try shop.billed("broken") == [.eur: 2_000])
        #expect(try await shop.check()["drift_count"]?.integer == 0)
    }

    @Test("a plan with prices and nothing due gets a statement of nothing; others get none")
    func nothing() async throws {
        let shop = try Shop(
            PriceList.catalog(
                plans: [
                    PriceList.plan("payg", 1, PriceList.price(.unit, factor: 1), fee: nil),
                    PriceList.plan("free", 1, nil, fee: nil, currency: nil),
                ]), now: "2026-09-30T23:00:00Z")
        for plan in ["payg", "free"] {
            try shop.customer(CustomerID(plan))
            try shop.subscribe(CustomerID(plan), plan: plan, start: "2026-09-30T22:00:00Z")
        }
        try shop.customer("none")
        try shop.book.publish()
        shop.clock.set("2026-11-04T00:00:00Z")
        try await shop.round()
        #expect(try shop.statements("payg").map(\.totals) == [[]])
        #expect(try shop.statements("free").isEmpty)
        #expect(try shop.statements("none").isEmpty)
    }

    @Test("months before the first start are closed as well, thirteen back at most")
    func before() async throws {
        let shop = try Shop(PriceList.catalog(.unit), now: "2026-11-10T00:00:00Z")
        try shop.customer("acme", zone: "UTC")
        try shop.subscribe("acme", plan: "pro", start: "2024-01-01T00:00:00Z")
        try await shop.round()
        let months = try shop.statements("acme").map(\.month)
        #expect(months.first == month("2025-10"))
        #expect(months.last == month("2026-10"))
        #expect(try shop.billed("acme") == [.eur: 13 * 3_000])
    }

    @Test("a new customer with a start in closed months is billed by adjustments") func backdated()
        async throws
    {
        let shop = try Self.shop()
        shop.clock.set("2026-12-10T00:00:00Z")
        try await shop.round()
        try shop.customer("new")
        try shop.subscribe("new", plan: "pro", start: "2026-09-30T22:00:00Z")
        try await shop.round()
        #expect(try shop.statements("new").isEmpty)
        let pending = try shop.store.pendingLines("new")
        #expect(pending.map(\.amount) == [3_000, 3_000])
        #expect(
            pending.compactMap(\.correction).map(\.month.description) == ["2026-10", "2026-11"])
        // Nobody can close by hand what was billed so.
        await #expect(throws: ControlProblem.self) {
            try await shop.service.perform(Self.command("2026-10", "new"))
        }
        shop.clock.set("2027-01-04T00:00:00Z")
        try await shop.round()
        #expect(try shop.billed("new") == [.eur: 9_000])
        #expect(try await shop.check()["drift_count"]?.integer == 0)
    }
}
