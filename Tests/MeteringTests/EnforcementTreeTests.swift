import Enforcement
import Entitlements
import MeteringModel
import MeteringPorts
import Testing

/// Charges go to every level of a tree, or to none.
@Suite struct EnforcementTreeTests {
    typealias Scene = EnforcementScene

    /// org (limit) ← team a, team b (own limits) ← user without an own plan.
    private func scene(org: Int64, team: Int64) throws -> EnforcementScene {
        try Scene(
            [
                Scene.contract("org", plan: "org"),
                Scene.contract("a", plan: "team", parent: "org"),
                Scene.contract("b", plan: "team", parent: "org"),
                Scene.contract("user", plan: nil, parent: "a"),
            ],
            plans: [
                Scene.plan("org", calls: .finite(org)), Scene.plan("team", calls: .finite(team)),
            ], at: "2026-11-21T10:00:00Z")
    }

    private func used(_ scene: EnforcementScene, _ customer: CustomerID) throws -> Int64 {
        let snapshot = scene.catalog.load()
        let number = try #require(snapshot.customerIndex(customer))
        let segment = snapshot.customer(number).segment(at: scene.clock.now)
        let located = CounterBoard.Located(snapshot, segment, quota: 0, now: scene.clock.now)
        return try scene.board.reading(located).used
    }

    @Test func theTightestLevelDecides() async throws {
        let scene = try scene(org: 10, team: 8)
        let own = try await scene.consume("a", 7)
        #expect(own.isAllowed && own.customer == "a" && own.limitingCustomer == nil)
        #expect(own.limit == .finite(8) && own.remaining == 1)
        let tight = try scene.check("b", 4)
        #expect(!tight.isAllowed && tight.reason == .exhausted && tight.customer == "b")
        #expect(tight.limitingCustomer == "org" && tight.limit == .finite(10))
        #expect(tight.used == 7 && tight.remaining == 3)
        let refused = try await scene.consume("b", 4)
        #expect(!refused.isAllowed && refused.limitingCustomer == "org")
        #expect(try used(scene, "b") == 0)
        #expect(try used(scene, "org") == 7)
        let last = try await scene.consume("b", 3)
        #expect(last.isAllowed && last.limitingCustomer == "org" && last.remaining == 0)
    }

    @Test func aChildWithoutItsOwnUsesTheNearestAncestors() async throws {
        let scene = try scene(org: 100, team: 8)
        let decision = try await scene.consume("user", 5)
        #expect(decision.isAllowed && decision.customer == "user")
        #expect(decision.limitingCustomer == "a" && decision.used == 5)
        #expect(try used(scene, "a") == 5)
        #expect(try used(scene, "org") == 5)
        #expect(scene.log.texts.count == 1)
        #expect(scene.log.texts.first?.contains("\"subject\":\"user\"") == true)
        let refused = try await scene.consume("user", 4)
        #expect(!refused.isAllowed && refused.limitingCustomer == "a")
        #expect(try used(scene, "org") == 5)
    }

    @Test func manyClientsFillATreeExactly() async throws {
        let scene = try scene(org: 1_000, team: 600)
        let customers: [CustomerID] = ["a", "b", "user", "a", "b", "user", "b", "org"]
        let admitted = try await withThrowingTaskGroup(of: [String: Int64].self) { group in
            for customer in customers {
                group.addTask {
                    var mine: Int64 = 0
                    for number in 0..<260 {
                        if try await scene.consume(customer).isAllowed { mine += 1 }
                        if number % 8 == 0 { await Task.yield() }
                    }
                    return [customer.rawValue: mine]
                }
            }
            return try await group.reduce(into: [String: Int64]()) { sum, part in
                sum.merge(part, uniquingKeysWith: +)
            }
        }
        let underA = (admitted["a"] ?? 0) + (admitted["user"] ?? 0)
        let underB = admitted["b"] ?? 0
        let all = underA + underB + (admitted["org"] ?? 0)
        #expect(all <= 1_000 && underA <= 600 && underB <= 600)
        #expect(try used(scene, "a") == underA)
        #expect(try used(scene, "b") == underB)
        #expect(try used(scene, "org") == all)
        // Refusals leave nothing behind: the rest can be had to the last unit.
        var rest: Int64 = 0
        while try await scene.consume("org").isAllowed { rest += 1 }
        #expect(all + rest == 1_000)
        for (customer, units) in admitted where units > 0 {
            try scene.commit(CustomerID(customer), units)
        }
        try scene.commit("org", rest)
        #expect(try used(scene, "a") == underA)
        #expect(try used(scene, "org") == 1_000)
        #expect(scene.board.outstanding().isEmpty)
    }

    @Test func aLogThatRefusesLeavesNoLevelCharged() async throws {
        let scene = try scene(org: 10, team: 8)
        scene.log.refuse(true)
        await #expect(throws: GateError.self) { try await scene.consume("user", 5) }
        #expect(try used(scene, "a") == 0)
        #expect(try used(scene, "org") == 0)
        scene.log.refuse(false)
        #expect(try await scene.consume("user", 8).isAllowed)
    }

    @Test func anUnreadableLedgerLeavesNoLevelCharged() async throws {
        let scene = try scene(org: 10, team: 8)
        scene.ledger.fail("org")
        await #expect(throws: GateError.self) { try await scene.consume("user", 5) }
        scene.ledger.fail(nil)
        #expect(try used(scene, "a") == 0)
        #expect(scene.board.outstanding().isEmpty)
        #expect(try await scene.consume("user", 8).isAllowed)
    }

    @Test func holdsLieOnEveryLevelAlsoAfterARestart() async throws {
        let scene = try scene(org: 10, team: 8)
        let held = try await scene.gate.reserve(
            scene.question("user", 6, id: "h"), timeToLiveSeconds: 600)
        let reservation = try #require(held.reservation)
        #expect(reservation.customer == "user")
        let blocked = try scene.check("b", 5)
        #expect(blocked.reason == .held && blocked.limitingCustomer == "org" && blocked.held == 6)

        let again = try self.scene(org: 10, team: 8)
        again.board.restoreHolds([reservation])
        #expect(try again.check("a", 3).reason == .held)
        #expect(try again.check("b", 5).reason == .held)
        let done = try await again.gate.commitReservation(
            reservation.id, actual: DecimalQuantity(mantissa: 2))
        #expect(done.reservation?.committed == 2)
        #expect(try used(again, "a") == 2)
        #expect(try used(again, "org") == 2)
        #expect(try again.check("b", 8).isAllowed)
        try again.commit("user", 2)
        #expect(try used(again, "org") == 2)
        #expect(again.board.outstanding().isEmpty)
    }

    @Test func aSuspendedAncestorHoldsUpItsTree() async throws {
        let scene = try scene(org: 100, team: 8)
        try scene.update([
            Scene.contract(
                "org", plan: "org",
                suspensions: [
                    SuspensionTerms(start: Timestamp(seconds: 0), reason: "unpaid")
                ])
        ])
        let denied = try await scene.consume("user")
        #expect(denied.reason == .suspended && denied.limitingCustomer == "org")
        #expect(denied.limitSource?.contains("unpaid") == true)
        try scene.update([Scene.contract("org", plan: "org")])
        #expect(try await scene.consume("user").isAllowed)
    }
}
