import Enforcement
import Entitlements
import MeteringModel
import MeteringPorts
import QuotaEngine
import Testing

/// Bindings, seats, environments, and catalogs that change for some customers only.
@Suite struct EnforcementContractTests {
    typealias Scene = EnforcementScene

    // MARK: bindings

    @Test(
        arguments: [
            (nil, nil, false), ("app.example.com", nil, false), (nil, "eu", false),
            ("app.example.com", "EU", true), ("APP.Example.COM", "eu", true),
            ("app.example.com.", "eu", true), ("a.b.wild.org", "eu", true),
            ("wild.org", "eu", false), ("evilwild.org", "eu", false), (".wild.org", "eu", false),
            ("app.example.com", "us", false), ("example.com", "eu", false), ("", "", false),
        ] as [(String?, String?, Bool)])
    func aBoundEntitlementHoldsWhereItIsBound(
        _ domain: String?, _ region: String?, _ isAllowed: Bool
    ) throws {
        let binding = Binding(domains: ["app.example.com", "*.wild.org"], regions: ["eu"])
        let scene = try Scene(
            [Scene.contract("acme")],
            plans: [
                Scene.plan(
                    calls: .finite(10), more: ["sso": .boolean(true)],
                    bindings: ["calls": binding, "sso": binding])
            ], at: "2026-11-21T10:00:00Z")
        for feature in ["calls", "sso"] as [FeatureKey] {
            var question = scene.question("acme", feature: feature)
            question.domain = domain
            question.region = region
            let decision = try scene.gate.check(question)
            #expect(decision.isAllowed == isAllowed)
            if isAllowed { continue }
            #expect(decision.reason == .notEntitled)
            let missing = domain == nil ? "context.domain" : "bound to"
            #expect(decision.limitSource?.contains(missing) == true)
        }
        let listed = try scene.gate.entitlements(of: "acme", at: nil)
        #expect(listed.map(\.feature) == ["calls", "sso"])
        let open = listed.allSatisfy { $0.decision.isAllowed && $0.binding == binding }
        #expect(open)
    }

    // MARK: seats

    @Test func seatsAreCountedAgainstWhatWasBought() async throws {
        let scene = try Scene(
            [
                Scene.contract("acme"), Scene.contract("team", plan: nil, parent: "acme"),
                Scene.contract("big", plan: "big"),
            ],
            plans: [
                Scene.plan(
                    calls: .finite(1),
                    more: ["seats": .seats(SeatEntitlement(seats: .finite(5)))]),
                Scene.plan(
                    "big", calls: .finite(1),
                    more: ["seats": .seats(SeatEntitlement(seats: .unlimited))]),
            ], at: "2026-11-21T10:00:00Z")
        scene.seats.set("acme", 3)
        let fits = try scene.gate.check(scene.question("acme", 2, feature: "seats"))
        #expect(fits.isAllowed && fits.limit == .finite(5) && fits.used == 3)
        #expect(fits.remaining == 2)
        let full = try scene.gate.check(scene.question("acme", 3, feature: "seats"))
        #expect(!full.isAllowed && full.reason == .exhausted)
        let inherited = try scene.gate.check(scene.question("team", 3, feature: "seats"))
        #expect(!inherited.isAllowed && inherited.limitingCustomer == "acme")
        scene.seats.set("big", 4_000)
        let unlimited = try scene.gate.check(scene.question("big", 3, feature: "seats"))
        #expect(unlimited.isAllowed && unlimited.used == 4_000)
        await #expect(throws: GateError.self) {
            try await scene.gate.consume(scene.question("acme", feature: "seats"))
        }
    }

    // MARK: environments

    @Test func environmentsHaveCountersOfTheirOwn() async throws {
        let scene = try Scene(
            [
                Scene.contract(
                    "acme", subjects: [.init("live"), .init("dev", environment: .sandbox)])
            ], plans: [Scene.plan(calls: .finite(10))], at: "2026-11-21T10:00:00Z")
        #expect(try await scene.consume("acme", 10).isAllowed)
        var question = scene.question("acme", 4)
        question.environment = .sandbox
        let first = try await scene.gate.consume(question)
        #expect(first.isAllowed && first.customer == "acme#sandbox")
        question.party = .subject("dev")
        question.environment = .production
        let second = try await scene.gate.consume(question)
        #expect(second.isAllowed && second.used == 8)
        #expect(try await !scene.gate.consume(question).isAllowed)
        question.party = .subject("live")
        #expect(try await !scene.gate.consume(question).isAllowed)
        question.party = .customer("acme")
        question.environment = .test
        #expect(try scene.gate.check(question).reason == .unknownCustomer)
    }

    // MARK: other instants

    @Test func entitlementsAtAnotherInstantAreThoseOfThen() async throws {
        let october = try #require(Timestamp(rfc3339: "2026-10-15T00:00:00Z"))
        let november = try #require(Timestamp(rfc3339: "2026-11-01T00:00:00Z"))
        let scene = try Scene(
            [
                Scene.contract(
                    "acme", end: Timestamp(rfc3339: "2027-01-01T00:00:00Z"),
                    overrides: [Scene.limit(500, from: november)])
            ],
            plans: [Scene.plan(calls: .finite(100), more: ["region": .value("eu")])],
            at: "2026-11-21T10:00:00Z")
        try scene.commit("acme", 30, at: "2026-10-20T10:00:00Z", admitted: false)
        #expect(try await scene.consume("acme", 5).isAllowed)
        let now = try scene.gate.entitlements(of: "acme", at: nil)
        #expect(now.map(\.feature) == ["calls", "region"])
        #expect(now[0].decision.limit == .finite(500) && now[0].decision.used == 5)
        #expect(now[0].sources.count == 2 && now[1].decision.value == "eu")
        let then = try scene.gate.entitlements(of: "acme", at: october)
        #expect(then[0].decision.limit == .finite(100) && then[0].decision.used == 30)
        #expect(then[0].decision.decidedAt == october)
        let later = try scene.gate.entitlements(
            of: "acme", at: Timestamp(rfc3339: "2027-02-01T00:00:00Z"))
        #expect(later.map(\.decision.reason) == [.expired, .expired])
    }

    // MARK: changed catalogs

    private func cell(_ scene: EnforcementScene, _ customer: CustomerID) -> QuotaReading? {
        let snapshot = scene.catalog.load()
        guard let number = snapshot.customerIndex(customer) else { return nil }
        let segment = snapshot.customer(number).segment(at: scene.clock.now)
        guard segment.quotaCount > 0 else { return nil }
        let located = CounterBoard.Located(snapshot, segment, quota: 0, now: scene.clock.now)
        return scene.board.table.read(located.key)
    }

    @Test func aChangeOfOneCustomerLeavesTheOthersAlone() async throws {
        let scene = try Scene(
            [Scene.contract("acme"), Scene.contract("other")],
            plans: [Scene.plan(calls: .finite(10))], at: "2026-11-21T10:00:00Z")
        #expect(try await scene.consume("acme", 4).isAllowed)
        #expect(try await scene.consume("other", 7).isAllowed)
        let (mine, theirs) = (cell(scene, "acme"), cell(scene, "other"))
        try scene.update([
            Scene.contract("acme", overrides: [Scene.limit(6, from: Timestamp(seconds: 0))])
        ])
        #expect(cell(scene, "other") == theirs)
        #expect(cell(scene, "acme") != mine)
        #expect(try await scene.consume("acme", 2).isAllowed)
        let full = try await scene.consume("acme")
        #expect(!full.isAllowed && full.limit == .finite(6) && full.used == 6)
        #expect(cell(scene, "other") == theirs)
        try scene.commit("acme", 6)
        #expect(scene.board.outstanding().map(\.value.units) == [7])
    }

    @Test func aCustomerThatComesBackKeepsWhatItUsed() async throws {
        let scene = try Scene(
            [Scene.contract("acme"), Scene.contract("other")],
            plans: [Scene.plan(calls: .finite(10))], at: "2026-11-21T10:00:00Z")
        #expect(try await scene.consume("acme", 4).isAllowed)
        try scene.update([], removing: ["acme"])
        #expect(try scene.check("acme").reason == .unknownCustomer)
        try scene.update([Scene.contract("acme")])
        let back = try scene.check("acme", 0)
        #expect(back.used == 4)
        try scene.commit("acme", 4)
        #expect(try scene.check("acme", 0).used == 4)
        #expect(try await scene.consume("acme", 6).isAllowed)
        #expect(try await !scene.consume("acme").isAllowed)
    }

    /// Contracts change under running clients; what is admitted never passes the limit.
    @Test func changingContractsUnderLoadNeverOpenTheCap() async throws {
        let scene = try Scene(
            [Scene.contract("acme"), Scene.contract("other")],
            plans: [Scene.plan(calls: .finite(400))], at: "2026-11-21T10:00:00Z")
        let admitted = try await withThrowingTaskGroup(of: Int64.self) { group in
            for _ in 0..<6 {
                group.addTask {
                    var mine: Int64 = 0
                    for number in 0..<200 {
                        if try await scene.consume("acme").isAllowed { mine += 1 }
                        if number % 4 == 0 { await Task.yield() }
                    }
                    return mine
                }
            }
            group.addTask {
                for number in 0..<40 {
                    if number % 4 == 3 {
                        try scene.update([], removing: ["acme"])
                    } else {
                        let limit = Scene.limit(
                            number % 2 == 0 ? 399 : 400, from: Timestamp(seconds: 0))
                        try scene.update([Scene.contract("acme", overrides: [limit])])
                    }
                    await Task.yield()
                }
                try scene.update([Scene.contract("acme")])
                return 0
            }
            return try await group.reduce(0, +)
        }
        #expect(admitted <= 400)
        #expect(try scene.check("acme", 0).used == admitted)
        var rest: Int64 = 0
        while try await scene.consume("acme").isAllowed { rest += 1 }
        #expect(admitted + rest == 400)
    }
}
