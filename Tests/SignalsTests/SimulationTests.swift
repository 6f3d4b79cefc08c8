import Entitlements
import Metering
import MeteringModel
import MeteringPorts
import Signals
import Testing
import YAMLCatalog

@Suite("Shadow plans") struct SimulationTests {
    private static let live = """
        meters:
          - {key: tokens, event_type: llm, aggregation: sum, value: $.n, unit: token}
        features:
          - {key: tokens, type: metered, meter: tokens}
          - {key: users, type: seat}
        add_ons:
          - {key: premium, currency: EUR, fee: 10}
        plans:
          - key: pro
            currency: EUR
            fee: 49
            entitlements:
              users: {seats: 5, price: 7}
              tokens:
                {limit: 1000, period: month, enforcement: soft, thresholds: [80%, 100%],
                 price: {unit: "0.10", included: limit}}
          - key: basic
            currency: EUR
            fee: 9
            entitlements:
              tokens: {limit: 500, period: month, enforcement: hard, thresholds: [50%]}
        """

    /// A draft read as the control plane reads one: what it does not name stays.
    private func service(
        _ scene: Scene, hoursFrom: Timestamp = .distantPast
    ) -> SimulationService {
        let current = scene.current
        return SimulationService(
            SimulationSources(
                catalog: current, contracts: scene.contracts,
                cumulative: CutUsage(queries: scene.ledger, catalog: current),
                rollupsKept: { () throws(LedgerError) in
                    RollupsKept(hoursFrom: hoursFrom, daysFrom: .distantPast)
                },
                rehearse: { (text) throws(CatalogProblems) in
                    let document = try YAMLCatalog.document(text)
                    var catalog = document.catalog
                    let known = current.load().definitions.catalog
                    catalog.pastPlans = known.pastPlans + known.plans
                    let result = CatalogSnapshot.compile(
                        catalog, contracts: [], revision: 0, hash: KeyHash(k0: 1, k1: 2),
                        zone: Scene.zone)
                    if case .failure(let issues) = result { throw document.problems(for: issues) }
                    return catalog
                }, zone: Scene.zone, clock: scene.clock))
    }

    private func query(
        _ from: String, _ to: String, customer: CustomerID? = nil, cursor: String? = nil,
        limit: Int = 100
    ) throws -> SimulationQuery {
        SimulationQuery(
            window: Period(start: try at(from), end: try at(to)), customer: customer,
            cursor: cursor, limit: limit, principal: .local)
    }

    private func october(
        _ scene: Scene, _ draft: String, limit: Int = 100
    ) async throws -> [JSONValue] {
        let service = service(scene)
        var found: [JSONValue] = []
        var cursor: String?
        var done: Int64 = 0
        repeat {
            let page = try await service.simulate(
                draft,
                query("2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z", cursor: cursor, limit: limit)
            ).body
            found += page["items"]?.elements ?? []
            let now = try #require(page["done"]?.integer)
            #expect(now >= done && now <= page["total"]?.integer ?? 0)
            done = now
            cursor = page["next"]?.text
        } while cursor != nil
        return found
    }

    private func revenue(_ item: JSONValue?) -> JSONValue? { item?["revenue"]?.elements?.first }

    @Test("a draft that says what is in force changes nothing, whatever was used")
    func equality() async throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededNumbers(state: seed)
        var buyers: [Buyer] = []
        for index in 0..<30 {
            var buyer = Buyer(id: "c\(index)", plan: index % 3 == 0 ? "basic" : "pro")
            buyer.zone = ["UTC", "Europe/Berlin", "Asia/Kolkata"][index % 3]
            buyer.frequency = ["monthly", "quarterly", "annual"][index % 3]
            if index % 4 == 1 { buyer.seats = ["users": Int64(index)] }
            if index % 5 == 1 { buyer.addOns = ["premium"] }
            if index % 7 == 0 { buyer.start = "2026-10-11T08:30:00Z" }
            if index % 6 == 2 {
                buyer.grant = ("tokens", Int64(100 * index), "2026-10-05T00:00:00Z")
            }
            if index % 6 == 4 { buyer.change = ("2026-10-17T00:00:00Z", "basic") }
            buyers.append(buyer)
        }
        let scene = try Scene(Self.live, buyers, now: "2026-11-20T00:00:00Z")
        for buyer in buyers {
            try scene.useDaily(buyer.id, from: "2026-10-01", days: 31) { _ in
                Int64.random(in: 0...90, using: &random)
            }
        }
        let items = try await october(scene, Self.live, limit: 7)
        #expect(items.count == 30, "seed \(seed)")
        for item in items {
            let shown = "\(item.canonicalText), seed \(seed)"
            for money in item["revenue"]?.elements ?? [] {
                #expect(money["live"] == money["draft"], "\(shown)")
                #expect(money["difference"]?.text == "0.00", "\(shown)")
            }
            #expect(item["warned"]?["live"] == item["warned"]?["draft"], "\(shown)")
            #expect(item["stopped"]?["live"] == item["stopped"]?["draft"], "\(shown)")
            #expect(item["notes"]?.elements == [], "\(shown)")
        }
        #expect(items.contains { $0["revenue"]?.elements?.isEmpty == false }, "seed \(seed)")
        #expect(
            items.contains { $0["stopped"]?["live"]?.elements?.isEmpty == false }, "seed \(seed)")
    }

    @Test("another price and another limit, to the cent and the hour") func differences()
        async throws
    {
        let scene = try Scene(
            Self.live, [Buyer(id: "acme", addOns: ["premium"]), Buyer(id: "base", plan: "basic")],
            now: "2026-11-20T00:00:00Z")
        // 100 a day at 12:00: 3,100 in October.
        try scene.useDaily("acme", from: "2026-10-01", days: 31) { _ in 100 }
        try scene.useDaily("base", from: "2026-10-01", days: 31) { _ in 10 }
        let draft = Self.live
            .replacing("limit: 1000", with: "limit: 2000")
            .replacing("\"0.10\"", with: "\"0.20\"").replacing("fee: 49", with: "fee: 59.5")
            .replacing("limit: 500", with: "limit: 200").replacing("fee: 10}", with: "fee: 12}")
        let items = try await october(scene, draft)
        let acme = items.first
        // 2,100 × 0.10 + 49 + 5 × 7 + 10 = 304; 1,100 × 0.20 + 59.50 + 35 + 12 = 326.50.
        #expect(
            revenue(acme)?.canonicalText
                == #"{"currency":"EUR","difference":"22.50","#
                + #""draft":{"fees":"106.50","total":"326.50","usage":"220.00"},"#
                + #""live":{"fees":"94.00","total":"304.00","usage":"210.00"}}"#)
        func times(_ side: String) -> [String] {
            (acme?["warned"]?[side]?.elements ?? []).compactMap {
                "\($0["threshold"]?.text ?? "") \($0["at"]?.text ?? "")"
            }
        }
        #expect(times("live") == ["80% 2026-10-08T12:00:00Z", "100% 2026-10-10T12:00:00Z"])
        #expect(times("draft") == ["80% 2026-10-16T12:00:00Z", "100% 2026-10-20T12:00:00Z"])
        // 310 of a hard 500, then of a hard 200: 110 would have been refused, from the 21st on.
        let base = items.last
        #expect(base?["stopped"]?["live"]?.elements == [])
        let stop = try #require(base?["stopped"]?["draft"]?.elements?.first)
        #expect(stop["refused"]?.digits == "110" && stop["limit"]?.digits == "200")
        #expect(stop["at"]?.text == "2026-10-21T12:00:00Z")
        #expect(revenue(base)?["difference"]?.text == "0.00")
    }

    @Test("a plan moved in mid-period is scored by both, each in its time") func midPeriod()
        async throws
    {
        let scene = try Scene(
            Self.live, [Buyer(id: "acme", change: ("2026-10-16T00:00:00Z", "basic"))],
            now: "2026-11-20T00:00:00Z")
        try scene.useDaily("acme", from: "2026-10-01", days: 31) { _ in 100 }
        let draft = Self.live.replacing("\"0.10\"", with: "\"0.30\"")
        let money = revenue(try await october(scene, draft).first)
        // 1,500 by the 16th: 500 over, at 0.10 or 0.30. What comes later has no price.
        #expect(money?["live"]?["usage"]?.text == "50.00")
        #expect(money?["draft"]?["usage"]?.text == "150.00")
        #expect(money?["live"]?["fees"] == money?["draft"]?["fees"])
    }

    @Test("grants make the limit of both sides") func grants() async throws {
        let scene = try Scene(
            Self.live, [Buyer(id: "acme", grant: ("tokens", 500, "2026-10-01T00:00:00Z"))],
            now: "2026-11-20T00:00:00Z")
        try scene.useDaily("acme", from: "2026-10-01", days: 31) { _ in 100 }
        let draft = Self.live.replacing("limit: 1000", with: "limit: 2000")
        let money = revenue(try await october(scene, draft).first)
        #expect(money?["live"]?["usage"]?.text == "160.00")
        #expect(money?["draft"]?["usage"]?.text == "60.00")
    }

    @Test("bad drafts are told with line and column; bad questions with what to ask")
    func refusals() async throws {
        let scene = try Scene(Self.live, [Buyer(id: "acme")], now: "2026-11-20T00:00:00Z")
        let service = service(scene)
        let window = try query("2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z")
        do {
            _ = try await service.simulate(
                Self.live.replacing("limit: 500", with: "limit: many"), window)
            Issue.record("a bad draft was taken")
        } catch {
            guard case .draft(let problems) = error else { throw error }
            #expect(problems.problems.first?.line == 21)
            #expect(problems.problems.first.map { $0.column > 1 } == true)
        }
        let cases: [(SimulationQuery, String)] = [
            (try query("2026-11-01T00:00:00Z", "2026-11-01T00:00:00Z"), "invalid_window"),
            (try query("2026-11-01T00:00:00Z", "2027-01-01T00:00:00Z"), "invalid_window"),
            (try query("2024-11-01T00:00:00Z", "2026-01-01T00:00:00Z"), "invalid_window"),
            (
                try query("2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z", limit: 501),
                "invalid_limit"
            ),
            (
                try query("2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z", cursor: "x"),
                "invalid_cursor"
            ),
            (
                try query("2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z", customer: "nobody"),
                "unknown_customer"
            ),
        ]
        for (query, code) in cases {
            do {
                _ = try await service.simulate(Self.live, query)
                Issue.record("\(code) was taken")
            } catch {
                guard case .problem(let problem) = error else { throw error }
                #expect(problem.code == code)
            }
        }
        var bound = window
        bound.principal = Principal(id: "k", scopes: [.readUsage], customer: "acme")
        await #expect(throws: SimulationFailure.self) {
            _ = try await service.simulate(Self.live, bound)
        }
    }

    @Test("who is never billed is left out; a contract that does not fit is told") func apart()
        async throws
    {
        let scene = try Scene(
            Self.live,
            [
                Buyer(id: "acme"), Buyer(id: "sand", environment: "sandbox"),
                Buyer(id: "base", plan: "basic"),
            ], now: "2026-11-20T00:00:00Z")
        let lines = Self.live.split(separator: "\n")
        let withoutBasic = lines.prefix { !$0.contains("key: basic") }.joined(separator: "\n")
        let items = try await october(scene, withoutBasic)
        #expect(items.compactMap { $0["customer"]?.text } == ["acme", "base"])
    }
}

/// SplitMix64: the same numbers for a seed.
struct SeededNumbers: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word >> 31)
    }
}
