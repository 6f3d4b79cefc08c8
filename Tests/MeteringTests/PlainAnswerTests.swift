import Enforcement
import Entitlements
import MeteringModel
import MeteringPorts
import Testing

/// The short way of answering: taken where it may be, and never with another answer.
@Suite struct PlainAnswerTests {
    typealias Scene = EnforcementScene

    private func scene(_ plan: PlanDefinition, at now: String = "2026-11-21T10:00:00Z") throws
        -> Scene
    {
        try Scene([Scene.contract("acme")], plans: [plan], at: now)
    }

    private func isPlain(_ scene: Scene) throws -> Bool {
        _ = try scene.check("acme")
        return try scene.gate.plainAnswer(scene.question("acme")) != nil
    }

    @Test(
        arguments: [
            Scene.plan(calls: .finite(10)), Scene.plan(calls: .unlimited),
            Scene.plan(calls: .finite(3), enforcement: .soft),
            Scene.plan(calls: .finite(10), period: .lifetime),
            Scene.plan(calls: .finite(0), period: .day),
        ])
    func plainQuotasAreAnsweredTheShortWay(_ plan: PlanDefinition) async throws {
        let scene = try scene(plan)
        // The first question makes the counter.
        #expect(try scene.gate.plainAnswer(scene.question("acme")) == nil)
        #expect(try isPlain(scene))
        for quantity in [1, 2, 1, 9, 4] as [Int64] {
            _ = try await scene.consume("acme", quantity)
            for asked in [0, 1, 5, 100] as [Int64] { _ = try scene.check("acme", asked) }
            #expect(try isPlain(scene))
        }
        try scene.commit("acme", 2)
        #expect(try isPlain(scene))
        scene.clock.set("2026-12-01T00:00:00Z")
        #expect(try isPlain(scene))
    }

    @Test func graceOverageAndGrantsTakeTheLongWay() throws {
        let plans = [
            Scene.plan(calls: .finite(10), grace: Grace(units: 3)),
            Scene.plan(calls: .finite(10), enforcement: .soft, overageMax: 4),
        ]
        for plan in plans { #expect(try !isPlain(scene(plan))) }
        let start = Timestamp(rfc3339: "2026-11-01T00:00:00Z") ?? .distantPast
        let granted = try Scene(
            [
                Scene.contract(
                    "acme",
                    grants: [GrantTerms(feature: "calls", amount: 5, start: start, reason: "test")])
            ], plans: [Scene.plan(calls: .finite(10))], at: "2026-11-21T10:00:00Z")
        #expect(try !isPlain(granted))
    }

    @Test func whatIsHeldTakesTheLongWayUntilItIsSettled() async throws {
        let scene = try scene(Scene.plan(calls: .finite(10)))
        #expect(try isPlain(scene))
        let held = try await scene.gate.reserve(
            scene.question("acme", 4), timeToLiveSeconds: 60)
        let id = try #require(held.reservation?.id)
        #expect(try !isPlain(scene))
        #expect(try scene.check("acme").held == 4)
        _ = try await scene.gate.releaseReservation(id)
        #expect(try isPlain(scene))
        #expect(try scene.check("acme").remaining == 10)
    }

    @Test func changedLimitsAreSeenAtOnce() async throws {
        let scene = try scene(Scene.plan(calls: .finite(10)))
        _ = try await scene.consume("acme", 4)
        #expect(try isPlain(scene))
        let start = Timestamp(rfc3339: "2026-11-21T00:00:00Z") ?? .distantPast
        for limit in [20, 5, 10] as [Int64] {
            try scene.update([
                Scene.contract("acme", overrides: [Scene.limit(limit, from: start)])
            ])
            let decision = try scene.check("acme")
            #expect(decision.limit == .finite(limit) && decision.used == 4)
            #expect(try isPlain(scene))
        }
        // A limit that changes within the period ends the window before the period does.
        let end = Timestamp(rfc3339: "2026-11-22T00:00:00Z") ?? .distantPast
        try scene.update([
            Scene.contract("acme", overrides: [Scene.limit(7, from: start, to: end)])
        ])
        #expect(try !isPlain(scene))
        scene.clock.set("2026-11-22T00:00:00Z")
        #expect(try isPlain(scene))
        #expect(try scene.check("acme").limit == .finite(10))
    }
}
