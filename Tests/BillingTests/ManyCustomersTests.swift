import Entitlements
import MeteringModel
import MeteringPorts
import Testing

@testable import Billing

/// Customers are read and rated some at a time: that must make no difference.
@Suite("Many customers") struct ManyCustomersTests {
    private static let count = 11
    private static let zones = ["Europe/Berlin", "UTC", "America/New_York"]

    /// October is closed. Of `c2` something waits, of `c3` the ledger has lost something, `c4` was
    /// closed by hand, `c5` has an adjustment that waits for November, `c6` has left its zone.
    private static func shop(readingCountMax: Int) async throws -> Shop {
        var settings = BillingSettings()
        settings.readingCountMax = readingCountMax
        settings.closingCountMax = 3
        let shop = try Shop(
            PriceList.catalog(.graduated), now: "2026-09-30T00:00:00Z", settings: settings)
        for number in 0..<count {
            let id = CustomerID("c\(number)")
            try shop.customer(id, zone: zones[number % zones.count])
            if number == 9 { continue }
            try shop.subscribe(id, plan: "pro", start: "2026-09-30T00:00:00Z")
            try shop.use("o\(number)", id, Int64(number) * 300 + 10, "2026-10-10T12:00:00Z")
            try shop.use("n\(number)", id, Int64(number) * 200 + 7, "2026-11-02T12:00:00Z")
        }
        shop.clock.set("2026-11-02T13:00:00Z")
        _ = try await shop.engine.closeByHand(
            month("2026-10"), "c4",
            CommandContext(principal: .local, requestID: "hand", reason: "early"))
        shop.clock.set("2026-11-05T00:00:00Z")
        try await shop.round()
        try shop.use("late5", "c5", 900, "2026-10-11T12:00:00Z")
        try await shop.round()
        try shop.book.change(
            .customer, "c6", "c6", json(#"{"time_zone":"Asia/Tokyo"}"#),
            from: at("2026-11-03T00:00:00Z"), request: "move", at: shop.clock.now)
        try shop.usage.restate(now: shop.clock.now)
        try await shop.round()
        try shop.use("late2", "c2", 500, "2026-10-12T12:00:00Z")
        try shop.usage.void("o3", now: shop.clock.now, tells: false)
        return shop
    }

    private static func pages(
        _ shop: Shop, _ month: String, _ state: String, limit: Int
    ) async throws -> [JSONValue] {
        var found: [JSONValue] = []
        var cursor: String?
        repeat {
            let page = try await shop.service.read(
                BillingQuery(
                    subject: .statements(month: month, state: state), principal: .local,
                    cursor: cursor, limit: limit)
            ).body
            let items = page["items"]?.elements ?? []
            #expect(items.count <= limit)
            found += items
            cursor = page["next"]?.text
        } while cursor != nil
        return found
    }

    @Test("lists and checks are the same however many are read together")
    func chunks() async throws {
        let single = try await Self.shop(readingCountMax: 1)
        let open = try await Self.pages(single, "2026-11", "open", limit: 100)
        let names = Set(open.compactMap { $0["customer"]?.text })
        #expect(names == Set((0..<Self.count).filter { $0 != 9 }.map { "c\($0)" }))
        let check = try await single.check()
        #expect(check["checked"]?["customers"]?.integer == Int64(Self.count - 1))
        #expect(check["waiting_count"]?.integer ?? 0 > 0)
        let drifts = check["drifts"]?.elements?.compactMap { $0["customer"]?.text }
        #expect(Set(drifts ?? []) == ["c3"])
        for most in [2, 4, 100] {
            let shop = try await Self.shop(readingCountMax: most)
            for limit in [1, 3, 100] {
                #expect(try await Self.pages(shop, "2026-11", "open", limit: limit) == open)
            }
            #expect(try await shop.check() == check)
        }
    }

    @Test("an open statement in a list is the one that is shown") func same() async throws {
        let shop = try await Self.shop(readingCountMax: 4)
        for item in try await Self.pages(shop, "2026-11", "open", limit: 4) {
            let id = CustomerID(try #require(item["customer"]?.text))
            let shown = try await shop.service.read(
                BillingQuery(
                    subject: .statement(id, month: "2026-11", isExplained: false),
                    principal: .local)
            ).body
            for (name, value) in item.object ?? [:] { #expect(shown[name] == value, "\(name)") }
            let lines = (shown["lines"]?.elements ?? []) + (shown["so_far"]?.elements ?? [])
            #expect(lines.contains { $0["exact_amount"]?.text != nil })
        }
    }

    @Test("usage that comes while the check reads is waited for, and no drift")
    func meanwhile() async throws {
        let shop = try Shop(PriceList.catalog(.graduated), now: "2026-09-30T23:00:00Z")
        try shop.customer("acme")
        try shop.subscribe("acme", plan: "pro", start: "2026-09-30T22:00:00Z")
        try shop.use("e1", "acme", 1_000, "2026-10-10T12:00:00Z")
        shop.clock.set("2026-11-04T00:00:00Z")
        try await shop.round()
        let (usage, now) = (shop.usage, shop.clock.now)
        shop.restart(
            FaultyStore(
                shop.store,
                read: {
                    if usage.events.contains(where: { $0.id == "late" }) { return }
                    try? usage.record("late", "acme", 300, at("2026-10-30T12:00:00Z"), now: now)
                }))
        let check = try await shop.check()
        #expect(usage.events.count == 2)
        #expect(check["drift_count"]?.integer == 0)
        #expect(check["waiting_count"]?.integer == 1)
    }
}
