import MeteringModel
import MeteringPorts
import SQLBilling
import Testing

@testable import Billing

/// A month closed, late events, one voided, the plan backdated and that undone: whatever happened,
/// everything billed adds up to what billing it right the first time comes to.
@Suite("Judged scenario") struct JudgedScenarioTests {
    private static let october = (start: "2026-09-30T22:00:00Z", end: "2026-10-31T23:00:00Z")
    /// Local midnight of 15 October; the clocks go back on the 25th.
    private static let middle = "2026-10-14T22:00:00Z"
    private static let late: [(String, Int64, String)] = [
        ("l1", 777, "2026-10-03T10:00:00Z"), ("l2", 333, "2026-10-28T10:00:00Z"),
    ]

    private static func shop(_ model: Reckoning.Model) throws -> Shop {
        let shop = try Shop(PriceList.catalog(model), now: "2026-09-30T23:00:00Z")
        try shop.customer("acme")
        try shop.subscribe("acme", plan: "pro", start: october.start)
        return shop
    }

    private static func useOctober(_ shop: Shop) throws {
        for day in 1...30 {
            let digits = day < 10 ? "0\(day)" : "\(day)"
            try shop.use("o\(day)", "acme", Int64(day * 3), "2026-10-\(digits)T12:00:00Z")
        }
    }

    /// The steps, each followed by what has to be done after it.
    private static func steps(_ shop: Shop) -> [() throws -> Void] {
        [
            { try useOctober(shop) },
            { shop.clock.set("2026-11-04T00:00:00Z") },
            { for (id, value, time) in late { try shop.use(id, "acme", value, time) } },
            { try shop.usage.void("o20", now: shop.clock.now) },
            {
                shop.clock.set("2026-11-10T09:00:00Z")
                try shop.change(
                    "acme", #"{"version":2}"#, from: middle, request: "backdate")
            },
            { try shop.use("n1", "acme", 1_500, "2026-11-12T08:00:00Z") },
            {
                shop.clock.set("2026-11-20T09:00:00Z")
                try shop.book.undo("backdate", at: shop.clock.now)
            },
            { shop.clock.set("2026-12-04T00:00:00Z") },
        ]
    }

    // MARK: the calculator

    private static func used(_ shop: Shop, _ from: String, _ to: String) -> Int64 {
        shop.usage.events.filter { at(from) <= $0.time && $0.time < at(to) }
            .reduce(0) { $0 + $1.value }
    }

    private static func seconds(_ from: String, _ to: String) -> Int128 {
        Int128(at(to).seconds - at(from).seconds)
    }

    /// What October costs when version 2 holds from the middle on, or when it does not.
    private static func october(
        _ shop: Shop, _ model: Reckoning.Model, isDearer: Bool
    ) -> Int64 {
        let all = used(shop, october.start, october.end)
        let whole = seconds(october.start, october.end)
        let flat: Int128 = 12_340_000_000
        if !isDearer {
            let usage =
                model == .flat ? flat : Reckoning.cost(model, all, factor: 1)
            return 3_000 + Reckoning.cents(usage)
        }
        let first = used(shop, october.start, middle)
        let rest = seconds(middle, october.end)
        // The old fee is paid back for the rest, the new one charged for it.
        var cents: Int64 = 3_000
        cents += Reckoning.cents(-30 * Reckoning.nanos * rest, whole)
        cents += Reckoning.cents(45 * Reckoning.nanos * rest, whole)
        if model == .flat {
            cents += Reckoning.cents(flat * (whole - rest), whole)
            cents += Reckoning.cents(2 * flat * rest, whole)
        } else {
            cents += Reckoning.cents(Reckoning.cost(model, first, factor: 1))
            cents += Reckoning.cents(
                Reckoning.cost(model, all, factor: 2) - Reckoning.cost(model, first, factor: 2))
        }
        return cents
    }

    private static func november(_ shop: Shop, _ model: Reckoning.Model) -> Int64 {
        let used = used(shop, october.end, "2026-11-30T23:00:00Z")
        let usage =
            model == .flat ? 12_340_000_000 : Reckoning.cost(model, used, factor: 1)
        return 3_000 + Reckoning.cents(usage)
    }

    // MARK: tests

    @Test("every step adds up", arguments: Reckoning.Model.allCases)
    func everyStepAddsUp(_ model: Reckoning.Model) async throws {
        let shop = try Self.shop(model)
        let steps = Self.steps(shop)
        func billed() throws -> Int64 { try shop.billed("acme")[.eur] ?? 0 }
        for (index, step) in steps.enumerated() {
            try step()
            try await shop.round()
            switch index {
            case 0: #expect(try billed() == 0)
            case 1...3, 6:
                #expect(
                    try billed() == Self.october(shop, model, isDearer: false), "step \(index)")
            case 4, 5:
                #expect(try billed() == Self.october(shop, model, isDearer: true))
            default:
                let both =
                    Self.october(shop, model, isDearer: false) + Self.november(shop, model)
                #expect(try billed() == both)
            }
        }
        #expect(try shop.statements("acme").map(\.month.description) == ["2026-10", "2026-11"])
        // All that was put right stands on the next statement, with its causes.
        #expect(try shop.store.pendingLines("acme").isEmpty)
        let causes = Set(
            try shop.lines("acme", "2026-11").compactMap(\.correction).flatMap(\.causes)
                .map(\.kind))
        // A void within one package costs nothing, and flat prices take no usage into account.
        let expected: [Reckoning.Model: Set<BillingCause.Kind>] = [
            .flat: [.contractChange], .package: [.contractChange, .lateUsage],
        ]
        #expect(causes == expected[model] ?? [.contractChange, .correction, .lateUsage])
        let check = try await shop.check()
        #expect(check["drift_count"]?.integer == 0, "\(check.canonicalText)")
        #expect(check["waiting_count"]?.integer == 0)
        #expect(check["mismatch_count"]?.integer == 0, "\(check.canonicalText)")
    }

    @Test("it is the same as billing it right the first time", arguments: Reckoning.Model.allCases)
    func sameAsRightTheFirstTime(_ model: Reckoning.Model) async throws {
        let (shop, right) = (try Self.shop(model), try Self.shop(model))
        for step in Self.steps(shop) {
            try step()
            try await shop.round()
        }
        for step in Self.steps(right) { try step() }
        try await right.round()
        #expect(try shop.billed("acme") == right.billed("acme"))
        #expect(try right.lines("acme", "2026-11").allSatisfy { $0.correction == nil })
    }

    @Test("nothing is billed twice, killed before or after any write")
    func killedAnywhere() async throws {
        for moment in FaultyStore.Moment.allCases {
            var (failsAt, isDone) = (0, false)
            while !isDone {
                failsAt += 1
                try #require(failsAt < 200, "the scenario never ends without a fault")
                let shop = try Self.shop(.graduated)
                let faulty = FaultyStore(shop.store, failsAt: failsAt, moment)
                shop.restart(faulty)
                for step in Self.steps(shop) {
                    try step()
                    do {
                        try await shop.round()
                    } catch {
                        shop.restart()
                        try await shop.round()
                    }
                }
                isDone = !faulty.hasFailed
                let expected =
                    Self.october(shop, .graduated, isDearer: false)
                    + Self.november(shop, .graduated)
                #expect(
                    try shop.billed("acme")[.eur] == expected, "killed \(moment) write \(failsAt)")
                let check = try await shop.check()
                #expect(check["drift_count"]?.integer == 0)
            }
        }
    }
}
