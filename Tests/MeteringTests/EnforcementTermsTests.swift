import Enforcement
import Entitlements
import MeteringModel
import MeteringPorts
import Testing

/// Grace, bounded overage and grants.
@Suite struct EnforcementTermsTests {
    typealias Scene = EnforcementScene

    private func day(_ text: String) -> Timestamp { Timestamp(rfc3339: text) ?? .distantPast }

    @Test func graceUnitsAreUsedAsOverageThenItStops() async throws {
        let scene = try Scene(
            [Scene.contract("acme")],
            plans: [Scene.plan(calls: .finite(10), grace: Grace(units: 3))],
            at: "2026-11-21T10:00:00Z")
        #expect(try await scene.consume("acme", 10).reason == .ok)
        let over = try await scene.consume("acme", 2)
        #expect(over.isAllowed && over.reason == .overage && over.overage == 2)
        #expect(over.limit == .finite(10) && over.remaining == 0)
        #expect(try await scene.consume("acme", 2).reason == .exhausted)
        #expect(try await scene.consume("acme").isAllowed)
        #expect(try await !scene.consume("acme").isAllowed)
        scene.clock.set("2026-12-01T00:00:00Z")
        #expect(try await scene.consume("acme", 10).reason == .ok)
    }

    @Test(arguments: [Int64?.none, 5])
    func graceDaysBeginWhenTheLimitIsReached(_ units: Int64?) async throws {
        let scene = try Scene(
            [Scene.contract("acme")],
            plans: [Scene.plan(calls: .finite(10), grace: Grace(units: units, days: 2))],
            at: "2026-11-10T10:00:00Z")
        #expect(try await scene.consume("acme", 9).isAllowed)
        try scene.commit("acme", 9)
        scene.clock.set("2026-11-11T08:30:15.5Z")
        #expect(try await scene.consume("acme").isAllowed)
        try scene.commit("acme", 1)
        scene.clock.set("2026-11-13T08:30:14Z")
        let last = try await scene.consume("acme", 3)
        #expect(last.isAllowed && last.reason == .overage)
        #expect(try await scene.consume("acme", 3).isAllowed == (units == nil))
        // Two times 24 hours after the second in which the ledger saw the limit reached.
        scene.clock.set("2026-11-13T08:30:15Z")
        #expect(try await scene.consume("acme").reason == .exhausted)

        // Another start of the service finds the same end.
        let again = try Scene(
            [Scene.contract("acme")],
            plans: [Scene.plan(calls: .finite(10), grace: Grace(units: units, days: 2))],
            at: "2026-11-13T08:30:14Z", ledger: scene.ledger)
        #expect(try again.check("acme").isAllowed)
        again.clock.set("2026-11-13T08:30:15Z")
        #expect(try again.check("acme").reason == .exhausted)
        again.clock.set("2026-12-01T00:00:00Z")
        #expect(try again.check("acme").reason == .ok)
    }

    @Test func boundedOverageStopsASoftQuota() async throws {
        let scene = try Scene(
            [Scene.contract("acme")],
            plans: [Scene.plan(calls: .finite(10), enforcement: .soft, overageMax: 5)],
            at: "2026-11-21T10:00:00Z")
        let over = try await scene.consume("acme", 14)
        #expect(over.isAllowed && over.reason == .overage && over.overage == 4)
        #expect(try await !scene.consume("acme", 2).isAllowed)
        #expect(try await scene.consume("acme").isAllowed)
        #expect(try scene.check("acme").reason == .exhausted)
    }

    // MARK: grants

    private func grant(
        _ amount: Int64, from start: String, to end: String?, rolloverMax: Int64? = nil
    ) -> GrantTerms {
        GrantTerms(
            feature: "calls", amount: amount, start: day(start), expires: end.map(day),
            rolloverMax: rolloverMax, reason: "goodwill")
    }

    @Test func aGrantCountsUntilItExpiresAndWhatItGaveStays() async throws {
        let scene = try Scene(
            [
                Scene.contract(
                    "acme",
                    grants: [
                        grant(50, from: "2026-11-05T00:00:00Z", to: "2026-11-20T12:30:00Z")
                    ])
            ], plans: [Scene.plan(calls: .finite(100))], at: "2026-11-06T00:00:00Z")
        #expect(try scene.check("acme").limit == .finite(150))
        #expect(try await scene.consume("acme", 130).isAllowed)
        try scene.commit("acme", 130)
        scene.clock.set("2026-11-20T12:29:59Z")
        let before = try scene.check("acme", 20)
        #expect(before.isAllowed && before.limit == .finite(150) && before.used == 130)
        #expect(before.limitSource?.contains("gr_acme_0") == true)
        // 30 of the 50 were used; the rest is gone with the grant.
        scene.clock.set("2026-11-20T12:30:00Z")
        let after = try scene.check("acme")
        #expect(!after.isAllowed && after.limit == .finite(130) && after.overage == 0)
        scene.clock.set("2026-12-01T00:00:00Z")
        #expect(try scene.check("acme", 0).limit == .finite(100))
    }

    @Test func whatIsLeftRollsOverWithinItsBound() async throws {
        for (bound, expected) in [(Int64?.none, Int64(120)), (5, 105), (0, 100)] {
            let scene = try Scene(
                [
                    Scene.contract(
                        "acme",
                        grants: [
                            grant(
                                50, from: "2026-10-01T00:00:00Z", to: nil, rolloverMax: bound)
                        ])
                ], plans: [Scene.plan(calls: .finite(100))], at: "2026-10-21T10:00:00Z")
            try scene.commit("acme", 130, admitted: false)
            scene.clock.set("2026-11-21T10:00:00Z")
            #expect(try scene.check("acme").limit == .finite(expected))
        }
    }

    @Test func lateUsageOfAnEarlierPeriodLowersWhatIsLeft() async throws {
        let scene = try Scene(
            [
                Scene.contract(
                    "acme", grants: [grant(50, from: "2026-10-01T00:00:00Z", to: nil)])
            ], plans: [Scene.plan(calls: .finite(100))], at: "2026-11-21T10:00:00Z")
        #expect(try await scene.consume("acme", 60).isAllowed)
        #expect(try scene.check("acme").limit == .finite(150))
        try scene.commit("acme", 140, at: "2026-10-30T10:00:00Z", admitted: false)
        let now = try scene.check("acme", 0)
        #expect(now.limit == .finite(110) && now.used == 60 && now.remaining == 50)
        #expect(try await scene.consume("acme", 50).isAllowed)
        #expect(try await !scene.consume("acme").isAllowed)
    }

    @Test func grantsShowInTheNearLimitPage() async throws {
        let scene = try Scene(
            [
                Scene.contract(
                    "acme", grants: [grant(100, from: "2026-11-01T00:00:00Z", to: nil)])
            ], plans: [Scene.plan(calls: .finite(100))], at: "2026-11-21T10:00:00Z")
        try scene.commit("acme", 90, admitted: false)
        func page() throws -> [NearLimitEntry] {
            try scene.index.page(
                overBasisPoints: 0, limit: 10, cursor: nil, now: scene.clock.now
            ).entries
        }
        #expect(try page().map(\.shareBasisPoints) == [4_500])
        try scene.update([Scene.contract("acme")])
        #expect(try page().map(\.limit) == [100])
        scene.tracker.refillIndex()
        #expect(try page().map(\.shareBasisPoints) == [9_000])
    }
}
